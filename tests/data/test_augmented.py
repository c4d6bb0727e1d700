"""Masks of training batches derive from the key and the step, and change nothing else."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqexp.data.augmented import Augmented, augmented
from seqexp.data.buckets import LengthBuckets, bucketed
from seqexp.data.spec_augment import SpecAugment
from seqexp.types import Batch, Features, Sequences, TaskSpec

N, T, D = 30, 12, 6
SPEC = TaskSpec(Features(D), "sequence", 3, T, causal=False)


@pytest.fixture(scope="module")
def examples() -> LengthBuckets:
    lengths = np.arange(N, dtype=np.int32) % T + 1
    values = np.ones((N, T, D), np.float32) * (np.arange(T) < lengths[:, None])[..., None]
    whole = Batch(Sequences(values, lengths), np.arange(N, dtype=np.int32) % 3)  # type: ignore
    return LengthBuckets(bucketed(SPEC, whole, [6, 12]))


AUGMENT = SpecAugment(1, 3, 1, 4)


@functools.partial(jax.jit, static_argnums=4)
def batch_of(stream, key, first, step, bucket):
    return stream.batch(stream.plan(key, first, 8, 4), key, step, bucket)


def of_steps(stream, seed: int, first: int, count: int = 4) -> list[Batch]:
    key, start = jax.random.key(seed), jnp.int32(first)
    order = np.asarray(stream.order(start, count, 4))
    return [
        batch_of(stream, key, start, jnp.int32(first + step), stream.buckets(4)[place])
        for step, place in enumerate(order)
    ]


@pytest.mark.full
def test_only_masks_differ_from_the_examples(examples):
    assert examples.steps_per_epoch(4) == Augmented(examples, AUGMENT).steps_per_epoch(4)
    covered = []
    plain, masked = of_steps(examples, 0, 3), of_steps(Augmented(examples, AUGMENT), 0, 3)
    for before, after in zip(plain, masked, strict=True):
        np.testing.assert_array_equal(before.targets, after.targets)
        np.testing.assert_array_equal(before.inputs.lengths, after.inputs.lengths)
        values = np.asarray(after.inputs.values)
        assert set(np.unique(values)) <= {0.0, 1.0}
        covered.append((np.asarray(before.inputs.values) - values).mean())
    assert min(covered) >= 0 and max(covered) > 0.05


@pytest.mark.full
def test_they_derive_from_the_key_and_the_step(examples):
    stream = Augmented(examples, AUGMENT)
    one, other = of_steps(stream, 0, 3, 6), of_steps(stream, 0, 5)
    for got, want in zip(other, one[2:], strict=True):
        np.testing.assert_array_equal(got.inputs.values, want.inputs.values)
    seeds = [np.asarray(of_steps(stream, seed, 3, 1)[0].inputs.values) for seed in (0, 1)]
    assert seeds[0].shape != seeds[1].shape or np.any(seeds[0] != seeds[1])


def test_all_examples_are_not_masked_and_no_masks_are_no_stream_of_their_own(examples):
    parts = Augmented(examples, AUGMENT).all_examples()
    assert parts is examples.parts
    assert augmented(examples, SpecAugment(0, 3, 0, 4)) is examples
    assert isinstance(augmented(examples, SpecAugment(0, 3, 1, 4)), Augmented)
