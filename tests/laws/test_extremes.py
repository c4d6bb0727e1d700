"""A layer that breaks at its limits is told how."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import pytest
from flax import nnx

from seqexp.cells import LSTM
from seqexp.laws.extremes import EXTREMES, carry_bytes
from seqexp.layers import Attention, Recurrent


class Sum(nnx.Module):
    """A running sum that goes wrong in one way."""

    causal = True
    recurrent_parameters = ()

    def __init__(self, mistake: str | None = None):
        self.in_features = self.out_features = 2
        self.scale = nnx.Param(jnp.ones(2))
        self.mistake = mistake

    def initial_carry(self, batch_size: int, max_length: int) -> Any:
        return jnp.zeros((batch_size, 2), self.scale.dtype)

    def unroll(self, xs, mask=None, carry=None, *, key=None):
        ys = jnp.cumsum(xs * self.scale[...], 0)
        if self.mistake == "grows":
            ys = ys * jnp.exp(0.1 * jnp.arange(len(xs)))[:, None, None]
        if self.mistake == "overflows":
            ys = jnp.log(jnp.exp(ys))
        if self.mistake == "slope":
            ys = ys + jax.lax.stop_gradient(ys)
        return ys, ys[-1:] if self.mistake == "form" else ys[-1]

    def step(self, carry, x):
        total = carry + x * self.scale[...]
        return total, total


@pytest.mark.parametrize(
    "mistake, laws",
    [
        (None, set()),
        ("grows", {"many steps stay finite"}),
        ("overflows", {"extreme inputs stay finite"}),
        ("slope", {"gradients are slopes"}),
        ("form", {"the carry keeps its form"}),
    ],
)
def test_a_mistake_is_found(mistake, laws):
    layer: Any = Sum(mistake)
    found = {law for law, broken in EXTREMES.items() if broken(layer)}
    assert found >= laws and bool(found) == bool(laws)


def test_the_bytes_of_a_carry_are_counted_for_one_sequence():
    lstm = Recurrent(LSTM(3, 5, rngs=nnx.Rngs(0)))
    assert carry_bytes(lstm, 64) == carry_bytes(lstm, 4096) == 2 * 5 * 4
    attention = Attention(3, 8, heads=2, rngs=nnx.Rngs(0))
    assert carry_bytes(attention, 100) == 100 * 2 * 8 * 4 + 4
