"""Words of Shakespeare: sizes, coverage, and scores of simple predictors computed from scratch."""

import re
from collections import Counter

import jax.numpy as jnp
import numpy as np
import pytest

from seqexp.data.download import fetch
from seqexp.data.sources import TINY_SHAKESPEARE
from seqexp.tasks import ShakespeareWords
from seqexp.types import Mean, Prediction, SeqexpError

WORDS, WINDOW = 7_077, 32


@pytest.fixture(scope="module")
def task(require_files) -> ShakespeareWords:
    task = ShakespeareWords(words=WORDS, window=WINDOW)
    require_files(task)
    return task


@pytest.fixture(scope="module")
def splits(task):
    return task.load()


@pytest.fixture(scope="module")
def words(task) -> list[str]:
    (path,) = fetch(TINY_SHAKESPEARE).values()
    return re.findall(r"[A-Za-z0-9]+(?:['-][A-Za-z0-9]+)*|[^A-Za-z0-9 ]", path.read_text("ascii"))


def test_splits_are_the_words_in_order_and_rare_ones_unknown(task, splits, words):
    def covered(name: str) -> list[int]:
        (split,) = splits.held_out[name]
        return [int(split.inputs.values[0, 0]), *np.asarray(split.targets)[split.inputs.mask]]

    train, valid, test = splits.train.tokens.tolist(), covered("valid"), covered("test")
    assert (len(train), len(valid), len(test)) == (262_426, 14_579, 14_580)
    counts = Counter(words[: len(train)])
    expected = [word if counts[word] > 1 else "<unk>" for word in words]
    assert [task.text.symbols[token] for token in [*train, *valid, *test]] == expected


def test_word_frequencies_reach_their_baseline(task, splits):
    """But for how n-grams leave some probability to words that never came: none here did."""
    train, (test,) = np.asarray(splits.train.tokens), splits.held_out["test"]
    counts = np.bincount(train, minlength=WORDS)
    assert counts.min() > 0
    # Witten-Bell: c(w) + t / V of n + t, with t different words.
    shares = (counts + 1) / (len(train) + WORDS)
    nats = -np.log(shares[np.asarray(test.targets)[test.inputs.mask]]).mean()
    assert task.baselines["word frequencies"] == pytest.approx(np.exp(nats), rel=1e-5)
    assert task.baselines["n-grams"] < task.baselines["word frequencies"] / 1.5


def test_perplexity_of_a_uniform_guess_is_the_number_of_words():
    task = ShakespeareWords(words=50, window=4)
    batch = task.spec.example(2)
    batch = batch._replace(
        inputs=type(batch.inputs)(jnp.zeros((2, 4), jnp.int32), jnp.array([4, 1])),
        targets=jnp.ones((2, 4), jnp.int32),
    )
    sums = task.measure(Prediction(jnp.zeros((2, 4, 50)), ()), batch)
    assert task.summarize(sums)["perplexity"] == pytest.approx(50, rel=1e-5)
    assert task.summarize(sums)["loss"] == pytest.approx(np.log(50), rel=1e-6)


def test_a_perplexity_that_overflows_is_infinite():
    task = ShakespeareWords(words=50, window=4)
    huge = {"loss": Mean(jnp.float32(1e9), jnp.float32(1))}
    assert task.summarize(huge)["perplexity"] == np.inf


def test_a_sample_reads_as_a_text(task):
    text = task.text
    assert text.split("ROMEO:\nI'll go!") == ["ROMEO", ":", "\n", "I'll", "go", "!"]
    assert text.join(["ROMEO", ":", "\n", "I'll", "go", "!"]) == "ROMEO :\nI'll go !"


@pytest.mark.parametrize(
    ("words", "window", "message"),
    [(1, 1, "words .*>= 2"), (13_934, 1, "13933"), (9, 0, "window .*>= 1"), (9, 14_579, "14578")],
)
def test_sizes_out_of_range_are_refused(words, window, message):
    with pytest.raises(SeqexpError, match=f"ShakespeareWords: .*{message}"):
        ShakespeareWords(words=words, window=window)
