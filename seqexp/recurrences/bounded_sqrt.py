"""A square root whose gradient stays finite at 0."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Float

from seqexp.types import Array

LARGEST = 1000.0
"""The largest gradient, as in https://github.com/google-deepmind/recurrentgemma."""


@jax.custom_jvp
def bounded_sqrt(x: Float[Array, "*N"]) -> Float[Array, "*N"]:
    """sqrt(x), with the gradient min(1 / (2 sqrt(x)), 1000)."""
    return jnp.sqrt(x)


@bounded_sqrt.defjvp
def _tangent(primals, tangents):
    (x,), (dx,) = primals, tangents
    return jnp.sqrt(x), dx * jax.lax.rsqrt(jnp.maximum(4 * x, LARGEST**-2))
