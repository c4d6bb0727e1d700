"""How the activations of a layer are distributed, step by step."""

from __future__ import annotations

import math

import jax.numpy as jnp
from jaxtyping import Bool, Float

from seqexp.types import Array, SeqexpError


def histogram_over_time(
    values: Float[Array, "B T H"],
    mask: Bool[Array, "B T"],
    low: float,
    high: float,
    bins: int = 20,
) -> Float[Array, "T {bins}"]:
    """The share of activations in each of `bins` equal bins, at each step.

    What is outside of the range counts for the first or the last bin.

    Args:
        values: `[B, T, H]`, of all units and sequences together.
        mask: `[B, T]`, True where a step is real.
        low: where the first bin begins.
        high: where the last one ends.
        bins: how many.

    Returns:
        `[T, bins]`, at each step of sum 1, or 0 where no sequence is so long.

    Raises:
        SeqexpError: for no bin, or a range that is empty or infinite.

    >>> values = jnp.array([[[0.1], [0.9]], [[0.2], [0.7]]])
    >>> histogram_over_time(values, jnp.array([[True, True], [True, False]]), 0, 1, 2).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    if bins < 1 or not low < high or math.isinf(high - low):
        raise SeqexpError(
            f"a histogram needs at least one bin of a finite range, not {bins} from {low} to {high}"
        )
    steps = jnp.arange(values.shape[1])[:, None]
    place = jnp.floor((values - low) * (bins / (high - low)))
    place = jnp.clip(place, 0, bins - 1).astype(jnp.int32)
    weights = jnp.broadcast_to(mask[..., None], values.shape).astype(jnp.float32)
    counts = jnp.zeros((values.shape[1], bins)).at[steps, place].add(weights)
    return counts / jnp.maximum(jnp.sum(counts, 1, keepdims=True), 1)
