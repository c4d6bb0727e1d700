"""Training's own batches: their shapes, how often each comes, and the true steps in one."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqexp.data.buckets import LengthBuckets
from seqexp.data.streams import Examples, Generated, Windows
from seqexp.training.batches import (
    batch_shapes,
    bucket_shares,
    drawn,
    mean_tokens,
    padding_share,
    tokens,
)
from seqexp.types import Batch, Bucket, Sequences


def some(key, batch_size):
    lengths = jax.random.randint(key, (batch_size,), 1, 4, jnp.int32)
    return Batch(Sequences(jnp.zeros((batch_size, 3, 2)), lengths), jnp.zeros(batch_size))


def with_prefix(key, batch_size):
    prefix = Sequences(jnp.zeros((batch_size, 4), jnp.int32), jnp.full(batch_size, 4))
    return some(key, batch_size)._replace(prefix=prefix)


def ragged(lengths: list[int], steps: int) -> Batch:
    values = jnp.zeros((len(lengths), steps))
    return Batch(Sequences(values, jnp.array(lengths)), jnp.zeros(len(lengths), jnp.int32))


BUCKETS = LengthBuckets((ragged([1, 2, 2, 1, 1], 2), ragged([3, 4, 4], 4)))
# An epoch takes 2 batches of the first bucket and, with one of its examples, 2 of the second.
STREAMS = {
    "examples": (Examples(ragged([1, 4, 2, 3, 1], 4)), {(2, 4): 1.0}, 2 * 11 / 5),
    "windows": (Windows(jnp.arange(9), 4), {(2, 4): 1.0}, 8),
    "generated": (Generated(some), {(2, 3): 1.0}, None),
    "with a prefix": (Generated(with_prefix), {(2, 3): 1.0}, None),
    "buckets": (BUCKETS, {(2, 2): 2 / 4, (2, 4): 2 / 4}, (7 + 11) / 4),
}


@pytest.mark.parametrize("name", STREAMS)
def test_shapes_are_those_of_the_batches_that_are_drawn(name):
    stream, shares, _ = STREAMS[name]
    shapes = batch_shapes(stream, 2)
    assert set(shapes) == set(shares)
    seen = set()
    for batch in drawn(stream, 2, 9):
        bucket = Bucket(*batch.inputs.values.shape[:2])
        seen.add(bucket)
        assert jax.tree.structure(batch) == jax.tree.structure(shapes[bucket])
        for form, array in zip(*map(jax.tree.leaves, (shapes[bucket], batch)), strict=True):
            assert (form.shape, form.dtype) == (array.shape, array.dtype)
    assert seen == set(shapes)


@pytest.mark.parametrize("name", STREAMS)
def test_the_share_of_a_bucket_is_that_of_its_steps(name):
    stream, shares, _ = STREAMS[name]
    assert bucket_shares(stream, 2) == pytest.approx(shares)


@pytest.mark.parametrize("name", STREAMS)
def test_true_steps_are_exact_where_they_can_be(name):
    stream, _, exact = STREAMS[name]
    if exact is None:
        exact = np.mean([tokens(batch) for batch in drawn(stream, 2, 16)])
    assert mean_tokens(stream, 2) == pytest.approx(exact, rel=1e-12)


def test_padding_is_what_no_true_step_fills():
    assert padding_share(STREAMS["examples"][0], 2) == pytest.approx(1 - 11 / 20)
    assert padding_share(STREAMS["windows"][0], 2) == 0
    # 2 batches of 2 x 2 steps and 2 of 2 x 4, 18 of them true.
    assert padding_share(BUCKETS, 2) == pytest.approx(1 - 18 / 24)


def test_true_steps_are_those_of_inputs_and_prefix():
    batch = with_prefix(jax.random.key(0), 5)
    assert tokens(batch) == batch.inputs.lengths.sum() + 5 * 4
    assert tokens(batch._replace(prefix=None)) == batch.inputs.lengths.sum()
