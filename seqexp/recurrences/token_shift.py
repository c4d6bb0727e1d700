"""The step before each step, as RWKV mixes it in."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Bool, Float

from seqexp.types import Array


def shifted(
    xs: Float[Array, "T B D"], first: Float[Array, "B D"], mask: Bool[Array, "T B"] | None
) -> tuple[Float[Array, "T B D"], Float[Array, "B D"]]:
    """x_{t-1} at each step t, and the last true x.

    Args:
        xs: `[T, B, D]`.
        first: `[B, D]`, what came before the first step.
        mask: `[T, B]`, False at padding, which stands on the right; None if nowhere.

    Returns:
        `[T, B, D]` and `[B, D]`.
    """
    padded = jnp.concatenate([first[None], xs])
    if mask is None:
        return padded[:-1], padded[-1]
    last = jnp.sum(mask, 0, dtype=jnp.int32)[None, :, None]
    return padded[:-1], jnp.take_along_axis(padded, last, axis=0)[0]


def lerp(
    xs: Float[Array, "*S D"], before: Float[Array, "*S D"], share: Float[Array, " D"]
) -> Float[Array, "*S D"]:
    """x_t + share (x_{t-1} - x_t)."""
    return xs + share * (before - xs)
