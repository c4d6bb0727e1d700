"""How long the units of a gated layer keep what they hold."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Bool, Float

from seqexp.types import Array


def time_constants(keep: Float[Array, "B T H"], mask: Bool[Array, "B T"]) -> Float[Array, " H"]:
    """The time constant of each unit, in steps, from the gate that multiplies its previous state.

        tau = -1 / log(mean of f_t over true steps)

    A memory that only forgets, c_t = f c_{t-1}, falls to 1/e of itself in tau steps (Tallec and
    Ollivier 2018, https://arxiv.org/abs/1804.11188, whose characteristic time 1 / (1 - f) it is
    near for f near 1).

    Args:
        keep: `[B, T, H]`, from 0 to 1: an activation whose kind `keeps`.
        mask: `[B, T]`, True where a step is real.

    Returns:
        `[H]`, from 0 to infinity; NaN where no step is real.

    >>> forget = jnp.full((1, 3, 1), jnp.exp(-0.1))
    >>> float(time_constants(forget, jnp.ones((1, 3), bool))[0].round(3))
    10.0
    """
    mean = jnp.sum(jnp.where(mask[..., None], keep, 0), (0, 1)) / jnp.sum(mask)
    # A mean of 1 and more, which exponential gates reach, forgets nothing.
    return jnp.where(mean < 1, 1 / jnp.log(1 / mean), jnp.where(mean >= 1, jnp.inf, jnp.nan))
