"""Any step function over time: the slow, obvious way that the fast paths are checked against."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float

from seqexp.recurrences.masking import where_mask
from seqexp.types import Array

C = TypeVar("C")
Masks = Mapping[str, Any]
"""Dropout masks of one sequence: arrays `[T, ...]`, or `[1, ...]` for one that serves all steps."""


def scan(
    step: Callable[[C, Array, Masks], tuple[C, Array]],
    carry: C,
    xs: Float[Array, "T B D"],
    mask: Bool[Array, "T B"] | None,
    dropout: Masks,
    reverse: bool,
) -> tuple[Float[Array, "T B P"], C]:
    """Apply `step` along time, holding the carry at padding.

        carry_t, y_t = step(carry_{t-1}, x_t, dropout_t)    where mask_t
        carry_t, y_t = carry_{t-1}, 0                       elsewhere

    In reverse the carry keeps its first value through the padding, up to the last real step, so
    each sequence is read backward from its own end.

    Args:
        step: `(carry, x [B, D], dropout masks without time)` to `(carry, y [B, P])`.
        carry: the carry before the first step.
        xs: `[T, B, D]`, finite at padding.
        mask: `[T, B]`, or None if every step is real.
        dropout: dropout masks of the sequence.
        reverse: from the last step to the first.

    Returns:
        `ys` `[T, B, P]` and the final carry.
    """
    varying, fixed = split_masks(dropout, steps=xs.shape[0])
    fixed = jax.tree.map(lambda array: array[0], fixed)

    def body(carry: C, inputs: tuple[Array, Array | None, Masks]) -> tuple[C, Array]:
        x, keep, now = inputs
        new, y = step(carry, x, join_masks(now, fixed))
        return where_mask(keep, new, carry), where_mask(keep, y, jnp.zeros_like(y))

    carry, ys = jax.lax.scan(body, carry, (xs, mask, varying), reverse=reverse)
    return ys, carry


def split_masks(dropout: Masks, steps: int) -> tuple[Masks, Masks]:
    """The masks with a draw for each of `steps`, and those with one for all.

    None stands in the other's place.
    """

    def is_fixed(array: Array) -> bool:
        return array.shape[0] == 1 and steps != 1

    varying = jax.tree.map(lambda array: None if is_fixed(array) else array, dropout)
    fixed = jax.tree.map(lambda array: array if is_fixed(array) else None, dropout)
    return varying, fixed


def join_masks(varying: Masks, fixed: Masks) -> Masks:
    """What `split_masks` has split."""
    return jax.tree.map(
        lambda a, b: b if a is None else a, varying, fixed, is_leaf=lambda node: node is None
    )
