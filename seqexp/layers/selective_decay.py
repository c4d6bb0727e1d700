"""The decay of Mamba-2, which gated delta rules share."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Float

from seqexp.parameters import Undecayed
from seqexp.types import Array


class SelectiveDecay(nnx.Module):
    """Log-decays by steps of a continuous time that depend on the input.

        delta_t = softplus(z_t + b)
        g_t = -delta_t exp(a)

    exp(a) starts uniform in [1, 16]; b where softplus(b) is log-uniform in [0.001, 0.1]
    (Dao and Gu 2024, https://arxiv.org/abs/2405.21060, and its code).

    Args:
        heads: N, each with an `a` of its own.
        keys: K, how many b a head has, and decays.
        rngs: draws a and b.
    """

    def __init__(self, heads: int, keys: int = 1, *, rngs: nnx.Rngs):
        rates = jax.random.uniform(rngs.params(), (heads, 1), minval=1.0, maxval=16.0)
        self.recurrent_log_rate = Undecayed(jnp.log(rates))
        low, high = math.log(0.001), math.log(0.1)
        drawn = jax.random.uniform(rngs.params(), (heads, keys), minval=low, maxval=high)
        step = jnp.exp(drawn)
        # The inverse of softplus, log(exp(step) - 1).
        self.bias = Undecayed(step + jnp.log(-jnp.expm1(-step)))

    @property
    def recurrent_parameters(self) -> tuple[Any, ...]:
        """a, which makes the decays."""
        return (self.recurrent_log_rate,)

    def step_sizes(self, z: Float[Array, "*S N K"]) -> Float[Array, "*S N K"]:
        """delta of z `[..., N, K]`."""
        return jax.nn.softplus(z + self.bias[...])

    def log_decay(self, step_sizes: Float[Array, "*S N K"]) -> Float[Array, "*S N K"]:
        """g `[..., N, K]` of delta."""
        return -step_sizes * jnp.exp(self.recurrent_log_rate[...])
