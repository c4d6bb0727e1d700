"""Which units and gates are at their bounds, and which don't move at all."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Bool, Float

from seqexp.cells.protocol import Activation
from seqexp.types import Array, SeqexpError

MARGIN = 0.05
"""How close to a bound an activation is at it."""

MOST = 0.95
"""The share of its steps from which a unit at its bounds is saturated."""

FLAT = 1e-3
"""The share of the units' mean variance below which a unit is dead."""


class AtBounds(NamedTuple):
    """The share of true steps that each unit spends at a bound.

    Attributes:
        low: `[H]`.
        high: `[H]`.
    """

    low: Float[Array, " H"]
    high: Float[Array, " H"]


def at_bounds(
    values: Float[Array, "B T H"],
    mask: Bool[Array, "B T"],
    kind: Activation,
    margin: float = MARGIN,
) -> AtBounds:
    """How much of the time each unit of an activation is at its bounds.

        low = share of v <= low + margin,    high = share of v >= high - margin

    as gates are called left- and right-saturated by Karpathy et al. 2015
    (https://arxiv.org/abs/1506.02078), who take a margin of 0.1. An infinite bound is never
    reached; at the lower bound of a ReLU a unit is off.

    Args:
        values: `[B, T, H]`.
        mask: `[B, T]`, True where a step is real.
        kind: the bounds.
        margin: in units of the activation.

    Returns:
        Shares from 0 to 1; NaN where no step is real.

    Raises:
        SeqexpError: for a margin of less than 0, or so large that the bounds' margins meet.
    """
    if not 0 <= margin < (kind.high - kind.low) / 2:
        raise SeqexpError(
            f"margin must be from 0 to less than half of {kind.low} to {kind.high}, not {margin!r}"
        )

    def share(hit: Bool[Array, "B T H"]) -> Float[Array, " H"]:
        hits = jnp.sum(hit & mask[..., None], (0, 1), dtype=jnp.float32)
        return hits / jnp.sum(mask, dtype=jnp.float32)

    return AtBounds(share(values <= kind.low + margin), share(values >= kind.high - margin))


def saturated_units(shares: AtBounds, most: float = MOST) -> Bool[Array, " H"]:
    """True for a unit that is at its bounds, either of them, at a share `most` of its steps."""
    return shares.low + shares.high >= most


def dead_units(
    states: Float[Array, "B T P"], mask: Bool[Array, "B T"], share: float = FLAT
) -> Bool[Array, " P"]:
    """True for a unit that hardly varies over steps and sequences.

        Var(h_i) < share * mean over j of Var(h_j),    or Var(h_i) = 0

    Args:
        states: `[B, T, P]`.
        mask: `[B, T]`, True where a step is real.
        share: of the mean variance.
    """
    weights = mask[..., None]
    count = jnp.maximum(jnp.sum(mask), 1)
    mean = jnp.sum(jnp.where(weights, states, 0), (0, 1)) / count
    variance = jnp.sum(jnp.where(weights, jnp.square(states - mean), 0), (0, 1)) / count
    return (variance < share * jnp.mean(variance)) | (variance == 0)
