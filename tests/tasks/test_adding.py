"""The adding problem against its description."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqexp.tasks import Adding
from seqexp.types import SeqexpError


def markers_of(task: Adding, count: int = 2000) -> np.ndarray:
    """The `[count, 2]` marked steps of that many examples; fails unless there are two of each."""
    marked = np.asarray(task.draw(jax.random.key(0), count).inputs[:, :, 1])
    assert set(np.unique(marked)) == {0, 1}
    np.testing.assert_array_equal(marked.sum(1), 2)
    return np.nonzero(marked)[1].reshape(count, 2)


@pytest.mark.parametrize("markers", ["anywhere", "halves"])
def test_the_target_is_the_sum_of_the_marked_values(markers):
    task = Adding(length=7, valid_examples=50, test_examples=1, markers=markers)
    inputs, targets, lengths = map(np.asarray, task.load().valid)
    np.testing.assert_allclose(targets[:, 0], (inputs[..., 0] * inputs[..., 1]).sum(1), rtol=1e-6)
    assert 0 <= inputs[..., 0].min() < 0.05 and 0.95 < inputs[..., 0].max() < 1
    np.testing.assert_array_equal(lengths, 7)


def test_markers_anywhere_are_every_pair_of_steps_alike():
    steps = markers_of(Adding(length=5, valid_examples=1, test_examples=1))
    pairs, counts = np.unique(steps, axis=0, return_counts=True)
    assert len(pairs) == 10
    # 200 expected of each pair, with a standard deviation of 13.
    assert 140 < counts.min() < counts.max() < 260


def test_markers_in_halves_are_one_in_each():
    task = Adding(length=5, valid_examples=1, test_examples=1, markers="halves")
    pairs = np.unique(markers_of(task), axis=0).tolist()
    assert pairs == [[first, second] for first in (0, 1) for second in (2, 3, 4)]


@pytest.mark.parametrize("markers", ["anywhere", "halves"])
def test_the_shortest_sequence_marks_both_steps(markers):
    task = Adding(length=2, valid_examples=1, test_examples=1, markers=markers)
    np.testing.assert_array_equal(markers_of(task, 20), 20 * [[0, 1]])


def test_predicting_1_reaches_the_baseline():
    task = Adding(length=3, valid_examples=20_000, test_examples=1)
    total, weight = task.measure(jnp.ones((20_000, 1)), task.load().valid)["mse"]
    # The error (x - 1)^2 has a variance of 1/15 - 1/36, so this mean a deviation of 0.0014.
    assert abs(total / weight - task.baselines["predict 1"]) < 0.006


def test_the_splits_and_training_share_no_value():
    splits = Adding(length=20, valid_examples=30, test_examples=30).load()
    train = splits.train.batch(None, jax.random.key(0), jnp.int32(0), 30)
    values = [
        set(np.asarray(batch.inputs[..., 0]).ravel().tolist())
        for batch in (train, splits.valid, splits.test)
    ]
    # Of 2^23 floats, 600 drawn twice share one with a probability of 4 %; whole examples never.
    assert all(len(a & b) < 5 for a, b in zip(values, values[1:] + values[:1], strict=True))


@pytest.mark.parametrize(
    "change", [{"length": 1}, {"length": 10.5}, {"valid_examples": 0}, {"test_examples": -1}]
)
def test_impossible_sizes_are_refused(change):
    arguments = {"length": 10, "valid_examples": 2, "test_examples": 2} | change
    (name,) = change
    with pytest.raises(SeqexpError, match=f"Adding: {name} must be"):
        Adding(**arguments)


def test_unknown_markers_are_refused():
    with pytest.raises(SeqexpError, match="'anywhere' or 'halves'"):
        Adding(length=5, valid_examples=1, test_examples=1, markers="third")  # pyright: ignore
