"""Drawn tasks: lengths beyond that of training, seeds of their own, sizes that are refused."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqexp.tasks import DelayedRecall, Parity
from seqexp.tasks.synthetic import choose, lengths_between, multiples
from seqexp.types import Bucket, SeqexpError

SIZES = {"valid_examples": 30, "test_examples": 40, "longest": 4, "longer_examples": 20}
TASK = DelayedRecall(length=5, kinds=3, distractors=2, **SIZES)


def test_there_is_a_split_for_each_power_of_two():
    shapes = {
        name: [part.inputs.values.shape for part in parts]
        for name, parts in TASK.load().held_out.items()
    }
    assert shapes == {
        "valid": [(30, 7)],
        "test": [(40, 7)],
        "length 2x": [(20, 12)],
        "length 4x": [(20, 22)],
    }
    assert [*multiples(1)] == [] and [*multiples(16)] == [2, 4, 8, 16]


def test_training_stays_at_its_length():
    spec, stream = TASK.spec, TASK.load().train
    assert (spec.usual_length, spec.max_length) == (7, 22)
    assert stream.buckets(3) == (Bucket(3, 7),)
    assert spec.example(2).inputs.values.shape == (2, 7)


def test_lengths_of_splits_that_vary_are_apart():
    task = Parity(length=6, **{**SIZES, "valid_examples": 400, "longer_examples": 400})
    held_out = task.load().held_out
    found = {name: set(np.asarray(parts[0].inputs.lengths)) for name, parts in held_out.items()}
    assert found["valid"] == set(range(1, 7))
    assert found["length 2x"] == set(range(7, 13))
    assert found["length 4x"] == set(range(13, 25))
    assert lengths_between(6, 8) == (24, 48)


def test_splits_have_seeds_of_their_own():
    task = DelayedRecall(length=30, kinds=3, distractors=4, **SIZES)
    splits = task.load()
    train = splits.train.batch(None, jax.random.key(0), jnp.int32(0), Bucket(30, 32))
    rows = [np.asarray(each.inputs.values) for each in (train, *splits.held_out["valid"])]
    rows.append(np.asarray(splits.held_out["test"][0].inputs.values))
    assert len(np.unique(np.concatenate(rows), axis=0)) == 100


def test_equal_tasks_share_a_stream():
    assert jax.tree.structure(TASK.load().train) == jax.tree.structure(TASK.load().train)


def test_choices_are_different_and_each_alike():
    chosen = np.asarray(choose(jax.random.key(0), 3000, 4, 2))
    pairs, counts = np.unique(chosen, axis=0, return_counts=True)
    assert len(pairs) == 12 and (pairs[:, 0] != pairs[:, 1]).all()
    # 250 expected of each, with a standard deviation of 15.
    assert 190 < counts.min() < counts.max() < 310


@pytest.mark.parametrize(
    "change",
    [{"length": 0}, {"valid_examples": 0}, {"test_examples": 1.5}, {"longest": 0}]
    + [{"longer_examples": 0}, {"longest": 6}],
)
def test_impossible_sizes_are_refused(change):
    (name,) = change
    with pytest.raises(SeqexpError, match=f"Parity: {name} must be"):
        Parity(**{"length": 4, **SIZES, **change})
