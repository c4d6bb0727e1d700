"""Long sequences in checkpointed chunks: less memory, for computing the forward pass twice."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, TypeVar

import jax
import jax.numpy as jnp

from seqexp.recurrences.scan import join_noise, split_noise
from seqexp.types import Array, Noise, SeqexpError

C = TypeVar("C")
Chunk = int | Literal["auto"] | None
"""Steps of a chunk; "auto" for about sqrt(T); None for the whole sequence at once."""


def require_chunk(name: str, chunk: object) -> None:
    """Raise SeqexpError unless `chunk` is one."""
    whole = isinstance(chunk, int) and not isinstance(chunk, bool) and chunk >= 1
    if not (chunk is None or chunk == "auto" or whole):
        raise SeqexpError(
            f"{name} must be a whole number of at least 1, auto or null, not {chunk!r}"
        )


def in_chunks(
    unroll: Callable[[Array, C, Array | None, Noise], tuple[Array, C]],
    carry: C,
    xs: Array,
    real: Array | None,
    noise: Noise,
    reverse: bool,
    chunk: int | Literal["auto"],
) -> tuple[Array, C]:
    """Unroll chunk after chunk, keeping for the backward pass only the carry between them.

    With K steps a chunk the backward pass holds T / K carries, and of one chunk at a time, computed
    again, all that the recurrence keeps of its K steps: least, O(sqrt T), where K is about sqrt(T)
    (Chen et al. 2016, https://arxiv.org/abs/1604.06174). Inputs and outputs, `[T, B, ...]`, are
    there as always.

    Args:
        unroll: `(xs, carry, real, noise)` of some steps to their `ys` and the carry behind them,
            in the direction that `reverse` tells.
        carry: the carry before the first step.
        xs: `[T, B, D]`, finite at padding.
        real: `[T, B]`, or None if every step is real.
        noise: of the whole sequence.
        reverse: from the last step to the first.
        chunk: K, or "auto" for sqrt(T) rounded up. What is left over at the end is a shorter one.

    Returns:
        `ys` `[T, B, P]` and the final carry.
    """
    steps = xs.shape[0]
    size = min(steps, math.isqrt(steps - 1) + 1 if chunk == "auto" else chunk)
    varying, fixed = split_noise(noise, steps)
    sequence = xs, real, varying
    whole = steps // size * size

    @jax.checkpoint
    def one_chunk(carry: C, part: tuple[Array, Array | None, Noise]) -> tuple[C, Array]:
        xs, real, varying = part
        ys, carry = unroll(xs, carry, real, join_noise(varying, fixed))
        return carry, ys

    def full_chunks(carry: C) -> tuple[C, Array]:
        parts = jax.tree.map(lambda a: a[:whole].reshape(-1, size, *a.shape[1:]), sequence)
        carry, ys = jax.lax.scan(one_chunk, carry, parts, reverse=reverse)
        return carry, ys.reshape(whole, *ys.shape[2:])

    def the_rest(carry: C) -> tuple[C, Array]:
        return one_chunk(carry, jax.tree.map(lambda a: a[whole:], sequence))

    if whole == steps:
        carry, ys = full_chunks(carry)
        return ys, carry
    first, second = (the_rest, full_chunks) if reverse else (full_chunks, the_rest)
    carry, earlier = first(carry)
    carry, later = second(carry)
    return jnp.concatenate([later, earlier] if reverse else [earlier, later]), carry
