"""English tags: counts of the treebank, and sentences against the file itself."""

from collections import Counter

import jax
import numpy as np
import pytest

from seqexp.data.conllu import UPOS
from seqexp.data.download import fetch
from seqexp.data.sources import UD_EWT as SOURCE
from seqexp.tasks import EnglishTags
from seqexp.types import Batch, SeqexpError

WORDS, CLASSES = 9_873, 500


@pytest.fixture(scope="module")
def task(require_files) -> EnglishTags:
    task = EnglishTags(words=WORDS, classes=CLASSES, buckets=14)
    require_files(task)
    return task


@pytest.fixture(scope="module")
def parts(task) -> dict[str, tuple[Batch, ...]]:
    splits = task.load()
    return {"train": splits.train.all_examples() or (), **splits.held_out}


@pytest.fixture(scope="module")
def rows(task) -> list[list[tuple[str, str]]]:
    """Words and tags of each sentence of the test split."""
    text = list(fetch(SOURCE).values())[-1].read_text(encoding="utf-8")
    blocks = [block.split("\n") for block in text.strip("\n").split("\n\n")]
    columns = [[line.split("\t") for line in block if line[0].isdigit()] for block in blocks]
    return [[(own[1], own[3]) for own in block if own[0].isdigit()] for block in columns]


def test_counts_of_sentences_and_words(parts):
    counts = {name: sum(len(part.inputs.lengths) for part in own) for name, own in parts.items()}
    assert counts == {"train": 12_544, "valid": 2_001, "test": 2_077}
    words = {name: sum(int(p.inputs.lengths.sum()) for p in own) for name, own in parts.items()}
    assert words == {"train": 204_577, "valid": 25_147, "test": 25_094}


def test_a_tenth_is_padding_at_most(parts):
    real = sum(int(part.inputs.lengths.sum()) for part in parts["train"])
    assert 1 - real / sum(part.inputs.values.size for part in parts["train"]) < 0.1


def test_tags_are_those_of_the_file(parts, rows):
    found = Counter(
        tuple(UPOS[tag] for tag in targets[:length])
        for part in parts["test"]
        for targets, length in zip(*map(np.asarray, (part.targets, part.inputs[1])), strict=True)
    )
    assert found == Counter(tuple(tag for _, tag in sentence) for sentence in rows)


def test_known_words_are_their_own_token_and_others_share_classes(parts, rows):
    tokens = np.concatenate(
        [np.asarray(part.inputs.values)[part.inputs.mask] for part in parts["test"]]
    )
    counts = Counter(word for sentence in rows for word, _ in sentence)
    of_words = np.sort(np.bincount(tokens[tokens >= CLASSES])[CLASSES:])[::-1]
    # Words that are known come as often as in the file, the most frequent ones are all known.
    assert of_words[:20].tolist() == [count for _, count in counts.most_common(20)]
    assert 0.05 < np.mean(tokens < CLASSES) < 0.15


def test_the_baselines_tell_words_apart(task):
    scores = task.baselines
    assert scores["most frequent tag"] == pytest.approx(4_123 / 25_094)
    assert 0.88 < scores["most frequent tag of the word"] < 0.9


def test_what_is_shown_has_the_tags_below_the_words(task, parts):
    few = jax.tree.map(lambda each: np.asarray(each)[:2], parts["valid"][2])
    outputs = np.eye(17)[np.asarray(few.targets)]
    (text,) = task.show(few, outputs, None).values()
    lines = text.split("\n")
    assert lines[1].replace("answer", "said  ") == lines[2]


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ((0, 1, 1), "words .*>= 1"),
        ((19_675, 1, 1), "only 19674"),
        ((1, 0, 1), "classes .*>= 1"),
        ((1, 1, 0), "buckets"),
    ],
)
def test_sizes_out_of_range_are_refused(sizes, message):
    with pytest.raises(SeqexpError, match=f"EnglishTags: .*{message}"):
        EnglishTags(**dict(zip(("words", "classes", "buckets"), sizes, strict=True)))
