"""Drawing the next token: temperature, top-k, and the nucleus."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from seqexp.types import Array


def draw(
    key: Array,
    logits: Array,
    temperature: float | Array = 1.0,
    top_k: int | Array | None = None,
    top_p: float | Array | None = None,
) -> Array:
    """Draw tokens from the likeliest of softmax(logits / temperature).

    The temperature comes first, then `among_top_k`, then `nucleus` of what that left.

    Args:
        key: draws.
        logits: `[..., V]`.
        temperature: 0 takes the largest logit.
        top_k: from 1 up, or None.
        top_p: above 0, at most 1, or None.

    Returns:
        `[...]` int32 tokens.
    """
    positive = jnp.where(temperature > 0, temperature, 1.0)
    kept = logits / positive
    if top_k is not None:
        kept = among_top_k(kept, top_k)
    if top_p is not None:
        kept = nucleus(kept, top_p)
    drawn = jax.random.categorical(key, kept)
    return jnp.where(temperature > 0, drawn, jnp.argmax(logits, -1)).astype(jnp.int32)


def among_top_k(logits: Array, k: int | Array) -> Array:
    """`[..., V]` logits, -inf but for the k largest (Fan et al. 2018,
    https://arxiv.org/abs/1805.04833); of equal ones the first.

    >>> among_top_k(jnp.array([1.0, 3.0, 2.0, 3.0]), 2).tolist()
    [-inf, 3.0, -inf, 3.0]
    """
    return jnp.where(_ranks(logits) < k, logits, -jnp.inf)


def nucleus(logits: Array, p: float | Array) -> Array:
    """`[..., V]` logits, -inf but for the smallest set of the likeliest tokens whose probabilities
    sum to at least p (Holtzman et al. 2020, https://arxiv.org/abs/1904.09751).

    At least one token stays; of equally likely ones the first.

    >>> nucleus(jnp.log(jnp.array([0.125, 0.5, 0.375])), 0.75) > -jnp.inf
    Array([False,  True,  True], dtype=bool)
    """
    ranks = _ranks(logits)
    falling = -jnp.sort(-jax.nn.softmax(logits), axis=-1)
    before = jnp.cumsum(falling, axis=-1) - falling
    kept = jnp.take_along_axis(before, ranks, axis=-1) < p
    return jnp.where(kept | (ranks == 0), logits, -jnp.inf)


def _ranks(logits: Array) -> Array:
    """Of each the place among the falling ones."""
    order = jnp.argsort(-logits, axis=-1, stable=True)
    return jnp.argsort(order, axis=-1, stable=True)
