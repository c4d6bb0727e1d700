"""Copy memory against its published layout."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqexp.tasks import CopyMemory
from seqexp.types import SeqexpError


def published_layout(digits: np.ndarray, blanks: int) -> tuple[np.ndarray, np.ndarray]:
    """Step by step: what is read and what is to be written."""
    count, recalled = digits.shape
    inputs, targets = [], []
    for t in range(blanks + 2 * recalled):
        reading, waiting = t < recalled, t < recalled + blanks - 1
        inputs.append(digits[:, t] if reading else np.full(count, 0 if waiting else 9))
        writing = t - blanks - recalled
        targets.append(digits[:, writing] if writing >= 0 else np.zeros(count, int))
    return np.stack(inputs, 1), np.stack(targets, 1)


@pytest.mark.parametrize("blanks, digits", [(1, 1), (4, 3), (30, 10)])
def test_the_layout(blanks, digits):
    task = CopyMemory(blanks=blanks, valid_examples=20, test_examples=1, digits=digits)
    batch = task.load().valid
    drawn = np.asarray(batch.inputs[:, :digits])
    inputs, targets = published_layout(drawn, blanks)
    np.testing.assert_array_equal(batch.inputs, inputs)
    np.testing.assert_array_equal(batch.targets, targets)
    assert task.spec.length == blanks + 2 * digits
    assert task.spec.input_size == task.spec.output_size == 10


def test_digits_are_uniform():
    task = CopyMemory(blanks=1, valid_examples=1, test_examples=1)
    digits = np.asarray(task.draw(jax.random.key(0), 800).inputs[:, :10])
    symbols, counts = np.unique(digits, return_counts=True)
    assert symbols.tolist() == list(range(1, 9))
    # 1,000 expected of each, with a standard deviation of 30.
    assert 850 < counts.min() < counts.max() < 1150


def test_a_memoryless_guess_reaches_the_baseline():
    task = CopyMemory(blanks=1000, valid_examples=3, test_examples=1)
    assert task.baselines["memoryless"] == pytest.approx(10 * math.log(8) / 1020)
    batch = task.load().valid
    recalling = jnp.arange(1020)[:, None] >= 1010
    is_digit = (jnp.arange(10) >= 1) & (jnp.arange(10) <= 8)
    logits = jnp.where(recalling == is_digit, 0.0, -1e4)
    logits = jnp.where(~recalling & (jnp.arange(10) > 0), -1e4, logits)
    metrics = task.measure(jnp.broadcast_to(logits, (3, 1020, 10)), batch)
    total, weight = metrics["loss"]
    assert weight == 3 * 1020
    np.testing.assert_allclose(total / weight, task.baselines["memoryless"], rtol=1e-5)


def test_recall_counts_only_the_steps_of_the_digits():
    task = CopyMemory(blanks=5, valid_examples=4, test_examples=1)
    batch = task.load().valid
    logits = jax.nn.one_hot(batch.targets, 10)
    wrong = (batch.targets + 1) % 10
    for first_right, expected in [(0, 1.0), (15, 1.0), (18, 0.7), (25, 0.0)]:
        right = jnp.arange(25)[:, None] >= first_right
        guess = jnp.where(right, logits, jax.nn.one_hot(wrong, 10))
        total, weight = task.measure(guess, batch)["recall"]
        assert weight == 40
        np.testing.assert_allclose(total / weight, expected, rtol=1e-6)


@pytest.mark.parametrize(
    "change",
    [{"blanks": 0}, {"valid_examples": 0}, {"test_examples": 0}, {"digits": 0}, {"symbols": 1}],
)
def test_impossible_sizes_are_refused(change):
    arguments = {"blanks": 5, "valid_examples": 1, "test_examples": 1} | change
    (name,) = change
    with pytest.raises(SeqexpError, match=f"CopyMemory: {name} must be"):
        CopyMemory(**arguments)
