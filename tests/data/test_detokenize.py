"""Running text from words, against text that people wrote."""

import pytest

from seqexp.data.detokenize import detokenize
from seqexp.data.download import fetch
from seqexp.data.parallel_text import read_parallel_text
from seqexp.data.sources import MULTI30K
from seqexp.data.text_units import Words

SPLIT = Words("punctuation").split


@pytest.mark.parametrize(
    "text",
    [
        "",
        "A man.",
        'A sign reads "No dogs, please!" and "Exit": nobody cares; why?',
        "A man's T-shirt (the red one) costs $5.",
        "Ein Kind mit einem „Hallo“-Schild, das lacht.",
    ],
)
def test_text_comes_back_as_it_was(text):
    assert detokenize(SPLIT(text)) == text


def test_nothing_but_spaces_is_added():
    words = ["„", "a", '"', "-", "b", '"', '"', "(", ")", "<unk>"]
    assert detokenize(words).replace(" ", "") == "".join(words)


def test_most_descriptions_of_pictures_come_back(require_files):
    from tests.tasks.test_multi30k import task

    require_files(task())
    files = fetch(MULTI30K)
    pairs = read_parallel_text(files["multi30k/val.de.gz"], files["multi30k/val.en.gz"])
    for texts in ([pair.source for pair in pairs], [pair.target for pair in pairs]):
        same = sum(detokenize(SPLIT(text)) == text for text in texts)
        assert same / len(texts) > 0.98
