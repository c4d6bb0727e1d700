"""Any step function over time: the slow, obvious way that the fast paths are checked against."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import jax
import jax.numpy as jnp

from seqexp.recurrences.masking import where_real
from seqexp.types import Array, Noise

C = TypeVar("C")


def scan(
    step: Callable[[C, Array, Noise], tuple[C, Array]],
    carry: C,
    xs: Array,
    real: Array | None,
    noise: Noise,
    reverse: bool,
) -> tuple[Array, C]:
    """Apply `step` along time, holding the carry at padding.

        carry_t, y_t = step(carry_{t-1}, x_t, noise_t)    where real
        carry_t, y_t = carry_{t-1}, 0                     elsewhere

    In reverse the carry keeps its first value through the padding, up to the last real step, so
    each sequence is read backward from its own end.

    Args:
        step: `(carry, x [B, D], noise without time)` to `(carry, y [B, P])`.
        carry: the carry before the first step.
        xs: `[T, B, D]`, finite at padding.
        real: `[T, B]`, or None if every step is real.
        noise: arrays `[T, ...]`, or `[1, ...]` for one draw that serves all steps.
        reverse: from the last step to the first.

    Returns:
        `ys` `[T, B, P]` and the final carry.
    """
    varying, fixed = split_noise(noise, steps=xs.shape[0])
    fixed = jax.tree.map(lambda mask: mask[0], fixed)

    def body(carry: C, inputs: tuple[Array, Array | None, Noise]) -> tuple[C, Array]:
        x, keep, now = inputs
        new, y = step(carry, x, join_noise(now, fixed))
        return where_real(keep, new, carry), where_real(keep, y, jnp.zeros_like(y))

    carry, ys = jax.lax.scan(body, carry, (xs, real, varying), reverse=reverse)
    return ys, carry


def split_noise(noise: Noise, steps: int) -> tuple[Noise, Noise]:
    """What has a draw for each of `steps`, and what one for all; None in the other's place."""

    def is_fixed(mask: Array) -> bool:
        return mask.shape[0] == 1 and steps != 1

    varying = jax.tree.map(lambda mask: None if is_fixed(mask) else mask, noise)
    fixed = jax.tree.map(lambda mask: mask if is_fixed(mask) else None, noise)
    return varying, fixed


def join_noise(varying: Noise, fixed: Noise) -> Noise:
    """What `split_noise` has split."""
    return jax.tree.map(
        lambda a, b: b if a is None else a, varying, fixed, is_leaf=lambda node: node is None
    )
