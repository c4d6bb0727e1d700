"""Causal softmax attention, rotary positions and the places of a key-value cache."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Float, Int

from seqexp.types import Array

QUERIES_AT_ONCE = 512
"""Above so many queries they go in blocks, whose weights are computed again on the way back: of
their square memory holds one block's share."""
MOST_BLOCKS = 16
"""More would take long to compile; above 8,192 queries the blocks become longer instead."""
NARROW, LEAST_BAND = 128, 32
"""The longest window whose queries go in bands, and the least number of queries in one."""


def attend(
    queries: Float[Array, "B U N K"],
    keys: Float[Array, "B T N K"],
    values: Float[Array, "B T N K"],
    query_places: Int[Array, "B U"],
    key_places: Int[Array, "B T"],
    *,
    window: int | None,
) -> Float[Array, "B U N K"]:
    """Attention of each query to the keys at places up to its own.

        y_u = sum_t softmax_t(q_u . k_t / sqrt(K)) v_t
              over place(u) - window < place(t) <= place(u)

    Each query has at least one such key: that of its own step. Of several queries, the keys of a
    cache come first, then those of the queries' own steps.

    Args:
        queries: `[B, U, N, K]`.
        keys: `[B, T, N, K]`.
        values: `[B, T, N, K]`.
        query_places: `[B, U]`, the steps of the queries.
        key_places: `[B, T]`, of the keys; below 0 for a key that is none.
        window: how many steps are seen; None for all.
    """
    count, before = queries.shape[1], keys.shape[1] - queries.shape[1]
    if window is not None and window <= NARROW and count > 2 * max(window, LEAST_BAND):
        return _in_bands(queries, keys, values, query_places, key_places, window)
    if count <= QUERIES_AT_ONCE:
        return _attend(queries, keys, values, query_places, key_places, window)
    size = max(QUERIES_AT_ONCE, -(-count // MOST_BLOCKS))
    block = jax.checkpoint(partial(_attend, window=window))
    ys = []
    for start in range(0, count, size):
        stop = min(start + size, count)
        # Later keys are out of sight, and with a window earlier ones but those of the cache.
        first = 0 if window is None else max(0, start - window + 1)
        parts = [
            jnp.concatenate([part[:, :before], part[:, before + first : before + stop]], axis=1)
            for part in (keys, values, key_places)
        ]
        now = slice(start, stop)
        ys.append(block(queries[:, now], *parts[:2], query_places[:, now], parts[2]))
    return jnp.concatenate(ys, axis=1)


def _attend(
    queries: Array,
    keys: Array,
    values: Array,
    query_places: Array,
    key_places: Array,
    window: int | None,
) -> Array:
    scores = jnp.einsum("bunk,btnk->bnut", queries * queries.shape[-1] ** -0.5, keys)
    distance = query_places[:, None, :, None] - key_places[:, None, None, :]
    seen = (distance >= 0) & (key_places >= 0)[:, None, None, :]
    if window is not None:
        seen &= distance < window
    weights = jax.nn.softmax(jnp.where(seen, scores, -jnp.inf), axis=-1)
    return jnp.einsum("bnut,btnk->bunk", weights, values)


def _in_bands(
    queries: Array,
    keys: Array,
    values: Array,
    query_places: Array,
    key_places: Array,
    window: int,
) -> Array:
    """Attention of bands of queries, all at once.

    Each band sees its own keys and those of the band before it, the first one the cache.
    """
    count, before = queries.shape[1], keys.shape[1] - queries.shape[1]
    size = max(window, LEAST_BAND)
    missing = -count % size

    def bands(part: Array, filling: Array | int = 0) -> Array:
        rest = jnp.broadcast_to(filling, (part.shape[0], missing, *part.shape[2:]))
        whole = jnp.concatenate([part, rest.astype(part.dtype)], axis=1)
        return whole.reshape(part.shape[0], -1, size, *part.shape[2:])

    def with_earlier(part: Array) -> Array:
        return jnp.concatenate([part[:, :-1], part[:, 1:]], axis=2)

    # What fills the last band stands behind all queries, and sees itself.
    behind = query_places[:, -1:] + 1 + jnp.arange(missing, dtype=query_places.dtype)
    own_keys, own_values, own_places = (part[:, before:] for part in (keys, values, key_places))
    first = _attend(
        queries[:, :size],
        keys[:, : before + size],
        values[:, : before + size],
        query_places[:, :size],
        key_places[:, : before + size],
        window,
    )
    later = jax.vmap(partial(_attend, window=window), in_axes=1, out_axes=1)(
        bands(queries)[:, 1:],
        with_earlier(bands(own_keys)),
        with_earlier(bands(own_values)),
        bands(query_places, behind)[:, 1:],
        with_earlier(bands(own_places, behind)),
    )
    ys = jnp.concatenate([first, later.reshape(later.shape[0], -1, *later.shape[3:])], axis=1)
    return ys[:, :count]


def rotated(
    x: Float[Array, "B T N K"], places: Int[Array, "B T"], theta: float
) -> Float[Array, "B T N K"]:
    """Rotary positions (Su et al. 2021, https://arxiv.org/abs/2104.09864).

        (x_i, x_{i + K/2}) rotated by the angle place theta^(-2i/K)

    Args:
        x: `[B, T, N, K]`, K even.
        places: `[B, T]`.
        theta: the base, 10,000 as published.
    """
    half = x.shape[-1] // 2
    frequencies = theta ** (-jnp.arange(half, dtype=x.dtype) / half)
    angles = (places.astype(x.dtype)[..., None] * frequencies)[:, :, None]
    sine, cosine = jnp.sin(angles), jnp.cos(angles)
    first, second = x[..., :half], x[..., half:]
    return jnp.concatenate([first * cosine - second * sine, first * sine + second * cosine], -1)


def cached_places(position: Int[Array, " B"], size: int) -> Int[Array, "B S"]:
    """The steps `[B, S]` that a cache holds behind `position` steps; below 0 where it is empty.

    Step p stands at place p mod S, so place s holds the last step that is s mod S.
    """
    last = position[:, None] - 1
    return last - (last - jnp.arange(size, dtype=jnp.int32)) % size


def cached(
    cache: Float[Array, "B S N K"],
    new: Float[Array, "B T N K"],
    position: Int[Array, " B"],
    true: Int[Array, " B"],
) -> Float[Array, "B S N K"]:
    """A cache behind new steps.

    Args:
        cache: `[B, S, N, K]`.
        new: `[B, T, N, K]`, of the steps from `position` on.
        position: `[B]`, how many steps were read before.
        true: `[B]`, how many of the new ones are real.
    """
    step = cached_places(position + true, cache.shape[1]) - position[:, None]
    within = jnp.clip(step, 0, new.shape[1] - 1)[:, :, None, None]
    return jnp.where((step >= 0)[:, :, None, None], jnp.take_along_axis(new, within, axis=1), cache)
