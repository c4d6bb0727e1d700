"""Training's own batches: their shapes, and the true steps in one."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqexp.data.streams import Examples, Generated, Windows
from seqexp.training.batches import batch_shapes, draw, mean_tokens
from seqexp.types import Batch


def some(key, batch_size):
    lengths = jax.random.randint(key, (batch_size,), 1, 4, jnp.int32)
    return Batch(jnp.zeros((batch_size, 3, 2)), jnp.zeros(batch_size), lengths)


RAGGED = Batch(jnp.zeros((5, 4)), jnp.zeros(5, jnp.int32), jnp.array([1, 4, 2, 3, 1]))
STREAMS = {
    "examples": (Examples(RAGGED), (2, 4), 2 * 11 / 5),
    "windows": (Windows(jnp.arange(9), 4), (2, 4), 8),
    "generated": (Generated(some), (2, 3, 2), None),
}


@pytest.mark.parametrize("name", STREAMS)
def test_shapes_are_those_of_a_batch_that_is_drawn(name):
    stream, shape, _ = STREAMS[name]
    shapes, drawn = batch_shapes(stream, 2), draw(stream, 3, 2)
    assert shapes.inputs.shape == shape
    for form, array in zip(shapes, drawn, strict=True):
        assert (form.shape, form.dtype) == (array.shape, array.dtype)


@pytest.mark.parametrize("name", STREAMS)
def test_true_steps_are_exact_where_they_can_be(name):
    stream, _, tokens = STREAMS[name]
    drawn = np.mean([draw(stream, step, 2).lengths.sum() for step in range(16)])
    assert mean_tokens(stream, 2) == (drawn if tokens is None else tokens)
