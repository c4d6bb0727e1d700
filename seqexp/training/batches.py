"""Training's own batches: their shapes, and how many true steps they hold."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from seqexp.types import Array, Batch, Stream

DRAWN = 16
"""Batches that stand for all of a stream that has no end."""


def batch_shapes(stream: Stream, batch_size: int) -> Batch:
    """A training batch in shape (`jax.ShapeDtypeStruct`); nothing is drawn."""
    return jax.eval_shape(partial(_batch, batch_size=batch_size), stream, jnp.int32(0))


def draw(stream: Stream, step: int, batch_size: int) -> Batch:
    """The batch of a step, as a member of seed 0 might see it."""
    return _drawn(stream, jnp.int32(step), batch_size)


def mean_tokens(stream: Stream, batch_size: int) -> float:
    """True steps of a training batch in the mean.

    Exact where an epoch sees every example once; otherwise of `DRAWN` batches.
    """
    examples = stream.all_examples()
    if examples is not None and stream.steps_per_epoch(batch_size) is not None:
        return batch_size * float(np.mean(np.asarray(examples.lengths)))
    counts = [_tokens(stream, jnp.int32(step), batch_size) for step in range(DRAWN)]
    return float(np.mean(counts))


def _batch(stream: Stream, step: Array, batch_size: int) -> Any:
    key = jax.random.key(0)
    return stream.batch(stream.plan(key, step, 1, batch_size), key, step, batch_size)


_drawn = jax.jit(_batch, static_argnames="batch_size")


@partial(jax.jit, static_argnames="batch_size")
def _tokens(stream: Stream, step: Array, batch_size: int) -> Array:
    return _batch(stream, step, batch_size).lengths.sum()
