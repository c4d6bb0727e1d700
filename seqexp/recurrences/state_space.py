"""Diagonal linear state spaces of several inputs and outputs."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Bool, Float

from seqexp.recurrences import linear
from seqexp.recurrences.complex_pairs import Pair, times
from seqexp.recurrences.products import project
from seqexp.types import Array


class StateSpace(NamedTuple):
    """A diagonal linear system of N complex states, in discrete time.

        x_t = lambda * x_{t-1} + u_t B
        y_t = Re(x_t C)

    Attributes:
        eigenvalues: lambda, a pair of `[N]`.
        enter: B `[H, 2 * N]`, the real parts and then the imaginary ones.
        leave: `[2 * N, P]`, the real parts of C and then the negated imaginary ones.
    """

    eigenvalues: Pair
    enter: Float[Array, "H G"]
    leave: Float[Array, "G P"]


def unroll(
    system: StateSpace,
    us: Float[Array, "T B H"],
    state: Pair,
    mask: Bool[Array, "T B"] | None,
    how: linear.Way | None = None,
) -> tuple[Float[Array, "T B P"], Pair]:
    """All steps, time first.

    Args:
        system: the same at each step.
        us: `[T, B, H]`, finite at padding.
        state: x before the first step, a pair of `[B, N]`.
        mask: `[T, B]`, False where the state is held and the output 0; None if nowhere.
        how: as `linear.unroll`'s.

    Returns:
        `ys` `[T, B, P]` and the final x.
    """
    re, im = jnp.split(project(us, system.enter), 2, axis=-1)
    xs, state = linear.unroll(system.eigenvalues, (re, im), state, mask, False, how)
    return project(jnp.concatenate(xs, axis=-1), system.leave), state


def step(
    system: StateSpace, u: Float[Array, "B H"], state: Pair
) -> tuple[Float[Array, "B P"], Pair]:
    """One step: `u` `[B, H]` to `y` `[B, P]`, and the new x."""
    re, im = jnp.split(u @ system.enter, 2, axis=-1)
    turned = times(system.eigenvalues, state)
    state = turned[0] + re, turned[1] + im
    return jnp.concatenate(state, axis=-1) @ system.leave, state
