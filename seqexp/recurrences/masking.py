"""Which steps of right-padded sequences are real, and what happens at the others."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float, Int

from seqexp.types import Array


def zero_padding(
    xs: Float[Array, "B T *D"], lengths: Int[Array, " B"] | None
) -> Float[Array, "B T *D"]:
    """`xs` `[B, T, ...]` with zeros from each length `[B]` on, even where NaN stood."""
    if lengths is None:
        return xs
    return where_mask(jnp.arange(xs.shape[1]) < lengths[:, None], xs, jnp.zeros_like(xs))


def time_first(
    xs: Float[Array, "B T D"], lengths: Int[Array, " B"] | None
) -> tuple[Float[Array, "T B D"], Bool[Array, "T B"] | None]:
    """Sequences as the recurrences take them.

    Args:
        xs: `[B, T, D]`; what stands at padding never matters.
        lengths: `[B]`, or None if every step is real.

    Returns:
        `xs` `[T, B, D]` with zeros at padding, and `[T, B]`, True where a step is real (None if
        `lengths` is).
    """
    mask = None if lengths is None else jnp.arange(xs.shape[1])[:, None] < lengths[None, :]
    return jnp.swapaxes(zero_padding(xs, lengths), 0, 1), mask


def where_mask(mask: Bool[Array, ...] | None, new: Any, old: Any) -> Any:
    """`new` where `mask` is True (it indexes the leading axes of each array), `old` elsewhere."""
    if mask is None:
        return new

    def select(a: Array, b: Array) -> Array:
        return jnp.where(mask.reshape(mask.shape + (1,) * (a.ndim - mask.ndim)), a, b)

    return jax.tree.map(select, new, old)


def backward(sequences: Any, mask: Bool[Array, "T B"] | None) -> Any:
    """Reverse each sequence in time over its true length; its own inverse.

    Args:
        sequences: a pytree of `[T, B, ...]`. An array `[1, ...]` serves all steps and stays.
        mask: `[T, B]`, False at padding, which stands on the right and stays there; None if
            nowhere.
    """

    def flip(array: Array) -> Array:
        if array.shape[0] == 1:
            return array
        if mask is None:
            return array[::-1]
        steps, lengths = jnp.arange(len(array))[:, None], jnp.sum(mask, 0)
        source = jnp.where(mask, lengths - 1 - steps, steps)
        return array[source, jnp.arange(array.shape[1])]

    return jax.tree.map(flip, sequences)


def last(
    xs: Float[Array, "T B D"],
    first: Float[Array, "B D"],
    mask: Bool[Array, "T B"] | None,
    reverse: bool,
) -> Float[Array, "B D"]:
    """`xs` `[T, B, D]` at the real step that is read last; `first` `[B, D]` where there is none."""
    if mask is None:
        return xs[0] if reverse else xs[-1]
    if reverse:
        return where_mask(mask[0], xs[0], first)
    at = jnp.maximum(jnp.sum(mask, 0) - 1, 0)
    return where_mask(mask[0], xs[at, jnp.arange(xs.shape[1])], first)
