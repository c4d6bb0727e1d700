"""Training batches: their shapes, the share of each shape, and the true steps in them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from seqexp.types import Array, Batch, Bucket, Stream

DRAWN = 16
"""Batches that stand for all of a stream that has no end."""


def tokens(batch: Batch) -> Array:
    """True steps that a model reads of a batch: those of inputs and prefix."""
    prefix = 0 if batch.prefix is None else batch.prefix.lengths.sum()
    return batch.inputs.lengths.sum() + prefix


def batch_shapes(stream: Stream, batch_size: int) -> dict[Bucket, Batch]:
    """The shapes of a training batch (`jax.ShapeDtypeStruct`) for each bucket; nothing is drawn."""
    return {
        bucket: jax.eval_shape(
            partial(_batch, batch_size=batch_size, bucket=bucket), stream, jnp.int32(0)
        )
        for bucket in stream.buckets(batch_size)
    }


def bucket_shares(stream: Stream, batch_size: int) -> dict[Bucket, float]:
    """The share of the steps that each bucket has, over an epoch, or `DRAWN` steps of no end."""
    buckets = stream.buckets(batch_size)
    steps = stream.steps_per_epoch(batch_size) or DRAWN
    order = np.asarray(stream.order(jnp.int32(0), steps, batch_size))
    counts = np.bincount(order, minlength=len(buckets))
    return dict(zip(buckets, (counts / steps).tolist(), strict=True))


def drawn(stream: Stream, batch_size: int, steps: int) -> Iterator[Batch]:
    """The batches of the first steps, as a member of seed 0 might see them."""
    buckets = stream.buckets(batch_size)
    order = np.asarray(stream.order(jnp.int32(0), steps, batch_size))
    for step, place in enumerate(order):
        yield _drawn(stream, jnp.int32(step), batch_size, buckets[place])


def mean_tokens(stream: Stream, batch_size: int) -> float:
    """Mean number of true steps in a training batch.

    Exact where examples are finite; otherwise of `DRAWN` batches.
    """
    parts = stream.all_examples()
    if parts is None or stream.steps_per_epoch(batch_size) is None:
        return float(np.mean([tokens(batch) for batch in drawn(stream, batch_size, DRAWN)]))
    shares = bucket_shares(stream, batch_size)
    steps = stream.steps_per_epoch(batch_size)
    assert steps is not None
    parts = jax.tree.map(np.asarray, parts)
    count = sum(len(part.inputs.lengths) for part in parts)
    places = sum(share * bucket.batch_size for bucket, share in shares.items())
    # What is left of an epoch may be dropped, or be a batch that is filled up.
    return float(min(places, count / steps) * sum(map(tokens, parts)) / count)


def padding_share(stream: Stream, batch_size: int) -> float:
    """The share of the steps of training batches that are padding, inputs and prefix together."""
    shapes, shares = batch_shapes(stream, batch_size), bucket_shares(stream, batch_size)
    steps = sum(share * _steps(shapes[bucket]) for bucket, share in shares.items())
    return 1 - mean_tokens(stream, batch_size) / steps


def _steps(batch: Batch) -> int:
    read = [batch.inputs] if batch.prefix is None else [batch.inputs, batch.prefix]
    return sum(int(np.prod(each.values.shape[:2])) for each in read)


def _batch(stream: Stream, step: Array, batch_size: int, bucket: Bucket) -> Any:
    key = jax.random.key(0)
    return stream.batch(stream.plan(key, step, 1, batch_size), key, step, bucket)


_drawn = jax.jit(_batch, static_argnums=(2, 3))
