"""Copy memory against its published layout."""

import functools
import math
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqexp.tasks import CopyMemory
from seqexp.types import Batch, Bucket, Prediction, SeqexpError, Tokens


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


COUNT, BLANKS, STEPS = 800, 30, 50


def valid_of(task: CopyMemory) -> Batch:
    (batch,) = task.load().held_out["valid"]
    return batch


@functools.cache
def published() -> tuple[CopyMemory, Batch]:
    """Ten digits of eight, and the validation split."""
    task = CopyMemory(blanks=BLANKS, valid_examples=COUNT, test_examples=COUNT)
    return task, valid_of(task)


def check_layout(task: CopyMemory, batch: Batch) -> None:
    drawn = np.asarray(batch.inputs.values)[:, : task.digits]
    inputs, targets = published_layout(drawn, task.blanks)
    np.testing.assert_array_equal(batch.inputs.values, inputs)
    np.testing.assert_array_equal(batch.targets, targets)
    assert task.spec.max_length == task.blanks + 2 * task.digits
    assert task.spec.inputs == Tokens(10) and task.spec.output_size == 10


def test_the_layout():
    check_layout(*published())


def test_the_shortest_layout():
    task = CopyMemory(blanks=1, valid_examples=20, test_examples=20, digits=1)
    check_layout(task, valid_of(task))


def test_longer_splits_have_more_blanks_and_leave_the_others_as_they_are():
    usual = CopyMemory(blanks=3, valid_examples=20, test_examples=30, digits=2)
    task = replace(usual, longest=4, longer_examples=10)
    before, held_out = usual.load().held_out, task.load().held_out
    assert list(held_out) == ["valid", "test", "length 2x", "length 4x"]
    for name in before:
        jax.tree.map(np.testing.assert_array_equal, before[name], held_out[name])
    for multiple in (2, 4):
        (batch,) = held_out[f"length {multiple}x"]
        assert len(batch.targets) == 10
        check_layout(replace(usual, blanks=3 * multiple), batch)
    assert (task.spec.usual_length, task.spec.max_length) == (3 + 4, 12 + 4)
    assert task.load().train.buckets(5) == (Bucket(5, 7),)
    assert task.baselines == usual.baselines


def test_digits_are_uniform():
    digits = np.asarray(published()[1].inputs.values)[:, :10]
    symbols, counts = np.unique(digits, return_counts=True)
    assert symbols.tolist() == list(range(1, 9))
    # 1,000 expected of each, with a standard deviation of 30.
    assert 850 < counts.min() < counts.max() < 1150


def test_validation_and_test_share_no_example():
    held_out = published()[0].load().held_out
    rows = np.concatenate([batch.inputs.values for name in held_out for batch in held_out[name]])
    assert len(np.unique(rows, axis=0)) == 2 * COUNT


def test_a_memoryless_guess_reaches_the_baseline():
    task, batch = published()
    probabilities = np.full((STEPS, 10), 1e-30)
    probabilities[:40, 0] = 1
    probabilities[40:, 1:9] = 1 / 8
    logits = np.tile(np.log(probabilities).astype(np.float32), (COUNT, 1, 1))
    total, weight = task.measure(Prediction(jnp.asarray(logits), ()), batch)["loss"]
    assert weight == COUNT * STEPS
    np.testing.assert_allclose(total / weight, task.baselines["memoryless"], rtol=1e-5)


def test_the_baseline_is_the_published_one():
    task = CopyMemory(blanks=1000, valid_examples=1, test_examples=1)
    assert task.baselines["memoryless"] == pytest.approx(10 * math.log(8) / 1020)


def test_recall_counts_only_the_steps_of_the_digits():
    task, batch = published()
    targets = np.asarray(batch.targets)
    for first_right, expected in [(0, 1.0), (40, 1.0), (43, 0.7), (50, 0.0)]:
        answers = np.where(np.arange(STEPS) >= first_right, targets, (targets + 1) % 10)
        logits = jnp.asarray(np.eye(10, dtype=np.float32)[answers])
        total, weight = task.measure(Prediction(logits, ()), batch)["recall"]
        assert weight == COUNT * 10
        np.testing.assert_allclose(total / weight, expected, rtol=1e-6)


@pytest.mark.parametrize(
    "change",
    [{"blanks": 0}, {"valid_examples": 0}, {"test_examples": 0}, {"digits": 0}, {"symbols": 1}]
    + [{"longest": 3}, {"longest": 1}, {"longer_examples": 0}],
)
def test_impossible_sizes_are_refused(change):
    sizes = {"blanks": 5, "valid_examples": 1, "test_examples": 1}
    arguments = {**sizes, "longest": 2, "longer_examples": 2, **change}
    (name,) = change
    with pytest.raises(SeqexpError, match=f"CopyMemory: {name} must be"):
        CopyMemory(**arguments)
