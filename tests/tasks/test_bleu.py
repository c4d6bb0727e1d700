"""BLEU against sacrebleu's command line, and by hand."""

import math
import subprocess
import sys

import pytest

from seqexp.tasks.bleu import corpus_bleu
from seqexp.types import SeqexpError

REFERENCES = [
    "Two men are at the stove preparing food.",
    "A girl in a karate uniform breaks a board.",
    'A sign says "Out of order", it\'s 3.5 m high.',
    "People repair the roof of a house.",
    "Ein Mann läuft über grünes Gras.",
]
SAID = [
    "Two men stand at the stove preparing food.",
    "A girl in karate uniform breaking the board.",
    'A sign reads "out of order", it is 3.5m high .',
    "",
    "Ein Mann läuft über das grüne Gras!",
]


@pytest.mark.parametrize("tail", [0, 3], ids=["corpus", "without any 4-gram"])
def test_it_is_that_of_the_command_line(tmp_path, tail):
    said, references = SAID[tail:], REFERENCES[tail:]
    for name, texts in (("said", said), ("references", references)):
        (tmp_path / name).write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
    command = [sys.executable, "-m", "sacrebleu", "references", "-i", "said", "-b", "-w", "10"]
    printed = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert corpus_bleu(said, references) == pytest.approx(float(printed.stdout), abs=1e-9)
    assert 0 < corpus_bleu(said, references) < 100


def test_by_hand():
    """c = 6, r = 7; 5 of 6 words, 3 of 5 bigrams, 2 of 4 and 1 of 3."""
    found = corpus_bleu(["a b c d x e"], ["a b c d e f g"])
    precision = (5 / 6 * 3 / 5 * 2 / 4 * 1 / 3) ** 0.25
    assert found == pytest.approx(100 * math.exp(1 - 7 / 6) * precision, rel=1e-9)


def test_other_case_is_another_word():
    assert corpus_bleu(["a MAN sleeps on it"], ["a man sleeps on it"]) < 100


@pytest.mark.parametrize("said", [[], ["a", "b"]])
def test_each_needs_a_reference(said):
    with pytest.raises(SeqexpError, match=f"{len(said)} translations and {len(said) // 2} ref"):
        corpus_bleu(said, ["a"] * (len(said) // 2))
