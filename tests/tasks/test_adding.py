"""The adding problem against its description."""

import functools
from dataclasses import replace
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqexp.tasks import Adding
from seqexp.types import Batch, Bucket, Prediction, SeqexpError
from tests.full import full

COUNT = 2000


@functools.cache
def splits_of(length: int, markers: Literal["anywhere", "halves"]):
    task = Adding(length=length, valid_examples=COUNT, test_examples=COUNT, markers=markers)
    return task.load()


def valid_of(length: int, markers: Literal["anywhere", "halves"]) -> Batch:
    (batch,) = splits_of(length, markers).held_out["valid"]
    return batch


def marked_steps(length: int, markers: Literal["anywhere", "halves"]) -> np.ndarray:
    """The `[N, 2]` marked steps of the validation split; fails unless each has two."""
    marked = np.asarray(valid_of(length, markers).inputs.values)[:, :, 1]
    assert set(np.unique(marked)) <= {0, 1}
    np.testing.assert_array_equal(marked.sum(1), 2)
    return np.nonzero(marked)[1].reshape(COUNT, 2)


@pytest.mark.parametrize("markers", ["anywhere", "halves"])
def test_the_target_is_the_sum_of_the_marked_values(markers):
    batch = valid_of(5, markers)
    inputs, lengths, targets = map(np.asarray, (*batch.inputs, batch.targets))
    np.testing.assert_allclose(targets[:, 0], (inputs[..., 0] * inputs[..., 1]).sum(1), rtol=1e-6)
    assert 0 <= inputs[..., 0].min() < 0.01 and 0.99 < inputs[..., 0].max() < 1
    np.testing.assert_array_equal(lengths, 5)


def test_markers_anywhere_are_every_pair_of_steps_alike():
    pairs, counts = np.unique(marked_steps(5, "anywhere"), axis=0, return_counts=True)
    assert len(pairs) == 10
    # 200 expected of each pair, with a standard deviation of 13.
    assert 140 < counts.min() < counts.max() < 260


def test_markers_in_halves_are_one_in_each():
    pairs = np.unique(marked_steps(5, "halves"), axis=0).tolist()
    assert pairs == [[first, second] for first in (0, 1) for second in (2, 3, 4)]


@pytest.mark.parametrize("markers", ["anywhere", "halves"])
def test_the_shortest_sequence_marks_both_steps(markers):
    np.testing.assert_array_equal(marked_steps(2, markers), COUNT * [[0, 1]])


def test_predicting_1_reaches_the_baseline():
    task = Adding(length=5, valid_examples=1, test_examples=1)
    prediction = Prediction(jnp.ones((COUNT, 1)), ())
    total, weight = task.measure(prediction, valid_of(5, "anywhere"))["mse"]
    # The error (x - 1)^2 has a variance of 1/15 - 1/36, so this mean a deviation of 0.0044.
    assert abs(total / weight - task.baselines["predict 1"]) < 0.0176


def test_the_splits_and_training_share_no_example():
    splits = splits_of(5, "anywhere")
    (bucket,) = splits.train.buckets(COUNT)
    train = splits.train.batch(None, jax.random.key(0), jnp.int32(0), bucket)
    batches = [train, *splits.held_out["valid"], *splits.held_out["test"]]
    rows = [np.asarray(batch.inputs.values)[..., 0] for batch in batches]
    assert len(np.unique(np.concatenate(rows), axis=0)) == 3 * COUNT


@pytest.mark.parametrize("markers", ["anywhere", full("halves")])
def test_longer_splits_are_the_same_problem_and_leave_the_others_as_they_are(markers):
    usual = Adding(length=5, valid_examples=COUNT, test_examples=COUNT, markers=markers)
    task = replace(usual, longest=4, longer_examples=300)
    before, held_out = splits_of(5, markers).held_out, task.load().held_out
    assert {name: parts[0].inputs.values.shape for name, parts in held_out.items()} == {
        "valid": (COUNT, 5, 2),
        "test": (COUNT, 5, 2),
        "length 2x": (300, 10, 2),
        "length 4x": (300, 20, 2),
    }
    for name in before:
        jax.tree.map(np.testing.assert_array_equal, before[name], held_out[name])
    for multiple in (2, 4):
        (batch,) = held_out[f"length {multiple}x"]
        values, marked = np.moveaxis(np.asarray(batch.inputs.values), 2, 0)
        np.testing.assert_array_equal(marked.sum(1), 2)
        np.testing.assert_allclose(np.asarray(batch.targets)[:, 0], (values * marked).sum(1))
        np.testing.assert_array_equal(batch.inputs.lengths, 5 * multiple)
        places = np.nonzero(marked)[1].reshape(-1, 2)
        assert places.min() == 0 and places.max() == 5 * multiple - 1
        halves = places // (5 * multiple // 2)
        assert (markers == "halves") == (halves == [0, 1]).all()


def test_training_stays_at_its_length():
    task = Adding(length=5, valid_examples=1, test_examples=1, longest=2, longer_examples=1)
    assert (task.spec.usual_length, task.spec.max_length) == (5, 10)
    assert task.load().train.buckets(3) == (Bucket(3, 5),)


@pytest.mark.parametrize(
    "change",
    [{"length": 1}, {"length": 10.5}, {"valid_examples": 0}, {"test_examples": -1}]
    + [{"longest": 6}, {"longest": 1}, {"longer_examples": 0}],
)
def test_impossible_sizes_are_refused(change):
    sizes = {"length": 10, "valid_examples": 2, "test_examples": 2}
    arguments = {**sizes, "longest": 2, "longer_examples": 2, **change}
    (name,) = change
    with pytest.raises(SeqexpError, match=f"Adding: {name} must be"):
        Adding(**arguments)


@pytest.mark.parametrize("change", [{"longest": 2}, {"longer_examples": 2}])
def test_half_of_what_longer_splits_need_is_refused(change):
    with pytest.raises(SeqexpError, match="both numbers, or both null"):
        Adding(length=5, valid_examples=1, test_examples=1, **change)


def test_unknown_markers_are_refused():
    with pytest.raises(SeqexpError, match="'anywhere' or 'halves'"):
        Adding(length=5, valid_examples=1, test_examples=1, markers="third")  # pyright: ignore
