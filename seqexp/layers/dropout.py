"""Plain dropout, for connections that don't run along time."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Float

from seqexp.types import Array, KeyArray, SeqexpError, is_number


def require_rate(name: str, rate: float) -> None:
    """Raise SeqexpError unless it is a number and 0 <= rate < 1."""
    if not (is_number(rate) and 0 <= rate < 1):
        raise SeqexpError(f"{name} must be at least 0 and below 1, not {rate!r}")


def keep_mask(key: KeyArray, rate: float, shape: tuple[int, ...]) -> Float[Array, ...]:
    """Zeros with probability `rate`, 1 / (1 - rate) elsewhere."""
    return jax.random.bernoulli(key, 1 - rate, shape) / (1 - rate)


def dropout(key: KeyArray, xs: Float[Array, "B T *P"], rate: float) -> Float[Array, "B T *P"]:
    """Zero each element with probability `rate`, and scale the rest by 1 / (1 - rate).

    Srivastava et al. 2014, https://jmlr.org/papers/v15/srivastava14a.html

    Args:
        key: draws the mask.
        xs: `[B, T, ...]` or `[B, P]`.
        rate: at least 0, below 1; 0 gives `xs` itself.

    Raises:
        SeqexpError: for a rate outside [0, 1).
    """
    require_rate("dropout rate", rate)
    if rate == 0:
        return xs
    # Drawn with time in front, a step's mask does not depend on how far the batch is padded.
    batch, steps, *rest = xs.shape
    return xs * jnp.swapaxes(keep_mask(key, rate, (steps, batch, *rest)), 0, 1)
