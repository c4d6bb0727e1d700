"""Gradient checkpointing of long sequences: less memory, for computing the forward pass twice."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float

from seqexp.recurrences.scan import Masks, join_masks, split_masks
from seqexp.types import Array, SeqexpError

C = TypeVar("C")
Remat = int | Literal["auto"] | None
"""Steps between two checkpoints; "auto" for about sqrt(T); None for no gradient checkpointing."""


def require_remat(name: str, remat: object) -> None:
    """Raise SeqexpError unless `remat` is one."""
    whole = isinstance(remat, int) and not isinstance(remat, bool) and remat >= 1
    if not (remat is None or remat == "auto" or whole):
        raise SeqexpError(
            f"{name} must be a whole number of at least 1, auto or null, not {remat!r}"
        )


def checkpointed(
    unroll: Callable[[Array, C, Array | None, Masks], tuple[Array, C]],
    carry: C,
    xs: Float[Array, "T B D"],
    mask: Bool[Array, "T B"] | None,
    dropout: Masks,
    reverse: bool,
    remat: int | Literal["auto"],
) -> tuple[Float[Array, "T B P"], C]:
    """Unroll segment after segment, keeping for the backward pass only the carry between them.

    With K steps a segment the backward pass holds T / K carries, and of one segment at a time,
    computed again, all that the recurrence keeps of its K steps: least, O(sqrt T), where K is about
    sqrt(T) (Chen et al. 2016, https://arxiv.org/abs/1604.06174). Inputs and outputs, `[T, B, ...]`,
    are there as always.

    Args:
        unroll: `(xs, carry, mask, dropout)` of some steps to their `ys` and the carry behind them,
            in the direction that `reverse` tells.
        carry: the carry before the first step.
        xs: `[T, B, D]`, finite at padding.
        mask: `[T, B]`, or None if every step is real.
        dropout: dropout masks of the whole sequence.
        reverse: from the last step to the first.
        remat: K, or "auto" for sqrt(T) rounded up. The last segment holds the steps left over.

    Returns:
        `ys` `[T, B, P]` and the final carry.
    """
    steps = xs.shape[0]
    size = min(steps, math.isqrt(steps - 1) + 1 if remat == "auto" else remat)
    varying, fixed = split_masks(dropout, steps)
    sequence = xs, mask, varying
    whole = steps // size * size

    @jax.checkpoint
    def segment(carry: C, part: tuple[Array, Array | None, Masks]) -> tuple[C, Array]:
        xs, mask, varying = part
        ys, carry = unroll(xs, carry, mask, join_masks(varying, fixed))
        return carry, ys

    def full_segments(carry: C) -> tuple[C, Array]:
        parts = jax.tree.map(lambda a: a[:whole].reshape(-1, size, *a.shape[1:]), sequence)
        carry, ys = jax.lax.scan(segment, carry, parts, reverse=reverse)
        return carry, ys.reshape(whole, *ys.shape[2:])

    def the_rest(carry: C) -> tuple[C, Array]:
        return segment(carry, jax.tree.map(lambda a: a[whole:], sequence))

    if whole == steps:
        carry, ys = full_segments(carry)
        return ys, carry
    first, second = (the_rest, full_segments) if reverse else (full_segments, the_rest)
    carry, earlier = first(carry)
    carry, later = second(carry)
    return jnp.concatenate([later, earlier] if reverse else [earlier, later]), carry
