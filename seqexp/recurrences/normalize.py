"""Layer normalisation without parameters."""

from __future__ import annotations

import jax.numpy as jnp
from jax import lax
from jaxtyping import Float

from seqexp.types import Array


def normalize(xs: Float[Array, "*N D"], epsilon: float = 1e-5) -> Float[Array, "*N D"]:
    """Zero mean and unit variance, and `epsilon`, over the last axis (Ba et al. 2016)."""
    centred = xs - jnp.mean(xs, axis=-1, keepdims=True)
    variance = jnp.mean(centred * centred, axis=-1, keepdims=True)
    return centred * lax.rsqrt(variance + epsilon)
