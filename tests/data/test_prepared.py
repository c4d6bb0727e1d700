"""Examples made ready batch by batch are those made ready all at once."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from seqexp.data.prepared import Prepared
from seqexp.data.streams import Examples
from seqexp.tasks.sequential_mnist import fractions
from seqexp.training.batches import mean_tokens
from seqexp.types import Batch, Sequences

BYTES = np.arange(5 * 4, dtype=np.uint8).reshape(5, 4, 1)
SMALL = Batch(Sequences(jnp.asarray(BYTES), jnp.full(5, 4)), jnp.arange(5))  # type: ignore[arg-type]


def batches(stream, count: int) -> list[Batch]:
    (bucket,) = stream.buckets(2)
    key = jax.random.key(3)
    plan = stream.plan(key, jnp.int32(0), count, 2)
    make = jax.jit(lambda stream, step: stream.batch(plan, key, step, bucket))
    return [make(stream, jnp.int32(step)) for step in range(count)]


def test_batches_are_those_of_floats():
    small = Prepared(Examples(SMALL), fractions)
    large = Examples(fractions(SMALL))
    assert small.buckets(2) == large.buckets(2) and small.steps_per_epoch(2) == 2
    assert mean_tokens(small, 2) == 8
    for one, other in zip(batches(small, 4), batches(large, 4), strict=True):
        assert one.inputs.values.dtype == jnp.float32
        for got, want in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-6)
    np.testing.assert_allclose(small.all_examples()[0].inputs.values, BYTES / 255, rtol=1e-6)
