"""Matrix products that are taken out of the loop over time."""

from __future__ import annotations

import jax.numpy as jnp

from seqexp.recurrences.masking import where_real
from seqexp.types import Array


def project(xs: Array, kernel: Array) -> Array:
    """`xs` `[T, B, D]` times `kernel` `[D, K]`."""
    # As one product of two matrices: XLA's CPU code for three-dimensional ones is slower.
    return (xs.reshape(-1, xs.shape[-1]) @ kernel).reshape(*xs.shape[:-1], -1)


def summed_product(left: Array, right: Array) -> Array:
    """The sum over T and B of outer products: `[T, B, I]` and `[T, B, J]` to `[I, J]`."""
    return left.reshape(-1, left.shape[-1]).T @ right.reshape(-1, right.shape[-1])


def previous(hs: Array, first: Array, real: Array | None, reverse: bool) -> Array:
    """The state before each real step: outputs `hs` `[T, B, H]` shifted, with `first` put in."""
    if not reverse:
        return jnp.concatenate([first[None], hs[:-1]])
    shifted = jnp.concatenate([hs[1:], first[None]])
    if real is None:
        return shifted
    # Reading backward, a sequence starts at its own last step, behind which padding stands.
    inside = jnp.concatenate([real[1:], jnp.zeros_like(real[:1])])
    return where_real(inside, shifted, jnp.broadcast_to(first, shifted.shape))
