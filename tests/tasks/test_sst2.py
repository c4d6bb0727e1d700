"""SST-2: counts of the paper, words and labels against the file itself, shares by hand."""

from collections import Counter

import jax.numpy as jnp
import numpy as np
import pytest

from seqexp.data.download import fetch
from seqexp.data.sources import SST2 as SOURCE
from seqexp.tasks import SST2
from seqexp.types import Batch, Prediction, SeqexpError, Sequences

COUNTS = {"train": 6_920, "valid": 872, "test": 1_821}


@pytest.fixture(scope="module")
def task(require_files) -> SST2:
    task = SST2(words=7_142, buckets=9)
    require_files(task)
    return task


@pytest.fixture(scope="module")
def parts(task) -> dict[str, tuple[Batch, ...]]:
    splits = task.load()
    return {"train": splits.train.all_examples() or (), **splits.held_out}


@pytest.fixture(scope="module")
def lines(task) -> dict[str, list[list[str]]]:
    """The fields of each line: the label, and words."""
    texts = (path.read_bytes().decode() for path in fetch(SOURCE).values())
    return {
        name: [line.split(" ") for line in text.rstrip("\n").split("\n")]
        for name, text in zip(COUNTS, texts, strict=True)
    }


def examples(parts: tuple[Batch, ...]) -> Counter:
    """How often each comes: its tokens, and its label behind them."""
    return Counter(
        (*row[:length].tolist(), int(label))
        for part in parts
        for row, length, label in zip(*map(np.asarray, (*part.inputs, part.targets)), strict=True)
    )


def test_every_sentence_is_there_once_with_its_words_and_its_label(parts, lines):
    counted = Counter(word for _, *words in lines["train"] for word in words)
    known = [word for word, count in counted.items() if count > 1]
    place = {word: n for n, word in enumerate(sorted(known, key=lambda w: -counted[w]), 1)}
    assert len(place) + 1 == 7_142
    for name, count in COUNTS.items():
        assert len(lines[name]) == count
        expected = Counter(
            (*(place.get(word, 0) for word in words), int(label)) for label, *words in lines[name]
        )
        assert examples(parts[name]) == expected


def test_a_tenth_is_padding_at_most(parts):
    real = sum(int(part.inputs.lengths.sum()) for part in parts["train"])
    assert real == 133_552
    assert 1 - real / sum(part.inputs.values.size for part in parts["train"]) < 0.1


def test_baselines_are_strong_where_words_tell_and_the_majority_is_no_better_than_chance(task):
    scores = task.baselines
    assert scores["majority"] == pytest.approx(909 / 1_821)
    assert scores["bag of words"] > 0.79 and scores["TF-IDF"] > 0.79


def test_the_loss_and_the_accuracy_of_two_sentences():
    task = SST2(words=2, buckets=1)
    inputs = Sequences(jnp.zeros((3, 4), jnp.int32), jnp.array([4, 2, 0]))
    batch = Batch(inputs, jnp.array([0, 1, 0]))
    logits = jnp.array([[2.0, 0.0], [1.0, 0.0], [jnp.nan, 0.0]])
    sums = task.measure(Prediction(logits, ()), batch)
    expected = (np.log1p(np.exp(-2)) + np.log1p(np.exp(1))) / 2
    np.testing.assert_allclose(sums["loss"].total / sums["loss"].weight, expected, rtol=1e-6)
    assert sums["accuracy"] == (1, 2)


def test_what_is_shown_is_the_sentence_with_both_answers(task, parts):
    few = Batch(
        Sequences(*(np.asarray(each)[:2] for each in parts["valid"][0].inputs)),  # type: ignore
        np.asarray(parts["valid"][0].targets)[:2],
    )
    (text,) = task.show(few, np.array([[1.0, 0.0], [0.0, 1.0]]), None).values()
    assert text.count("read ") == 2
    assert "said    negative" in text and "said    positive" in text


@pytest.mark.parametrize(
    ("words", "buckets", "message"),
    [
        (1, 1, "words .*>= 2"),
        (14_832, 1, "words .*only 14831"),
        (9, 0, "buckets"),
        (9, "two", "buckets"),
    ],
)
def test_sizes_out_of_range_are_refused(words, buckets, message):
    with pytest.raises(SeqexpError, match=f"SST2: {message}"):
        SST2(words=words, buckets=buckets)
