"""The recurrences whose state is a matrix, over whole sequences, chunk by chunk.

`matrix_state.py` has their equations, one step at a time. Here C steps, a chunk, are a few matrix
products: with G_t the sum of the log-decays of a chunk up to step t,

    S_t = diag(exp(G_t)) S_0 + sum_{s<=t} diag(exp(G_t - G_s)) k_s u_s^T

where u_s is the value v_s, or, under the delta rule, what is left of it once the key's earlier
value is taken away: the solution of a triangular system (the WY form of Yang et al. 2024,
https://arxiv.org/abs/2406.06484). Every exponent is a difference of sums and at most 0, so nothing
overflows, however strong the decay.

The backward pass keeps the state between chunks, T / C of [B, N, K, V], and computes the rest of a
chunk again.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float

from seqexp.recurrences.masking import where_mask
from seqexp.recurrences.products import exact_product
from seqexp.types import Array, SeqexpError

CHUNK = 16
"""Steps of a chunk whose decays are of a head, and of one without decay: of 8, 16 and 32 the
fastest forward and backward on two CPU cores, or near it; nothing was measured on a GPU."""

KEYED_CHUNK = 8
"""Steps of a chunk whose decays are of each key, likewise: it computes C decays a step and key, and
16 took 1.1 to 1.7 times as long as 8."""


def outer(
    q: Float[Array, "T B #N K"],
    k: Float[Array, "T B #N K"],
    v: Float[Array, "T B N V"],
    log_decay: Float[Array, "T B N #K"] | None,
    state: Float[Array, "B N K V"],
    mask: Bool[Array, "T B"] | None,
    chunk: int | None = None,
) -> tuple[Float[Array, "T B N V"], Float[Array, "B N K V"]]:
    """All steps of `matrix_state.outer`, a decayed sum of outer products.

        S_t = diag(exp(g_t)) S_{t-1} + k_t v_t^T
        y_t = S_t^T q_t

    Args:
        q: `[T, B, N, K]`, or `[T, B, 1, K]` for the same in all heads; likewise `k`.
        k: see `q`.
        v: `[T, B, N, V]`.
        log_decay: g, at most 0: `[T, B, N, 1]` of a head, `[T, B, N, K]` of each key, or None.
        state: S before the first step, `[B, N, K, V]`.
        mask: `[T, B]`, False where the state is held and the output 0; None if nowhere.
        chunk: C; None for the faster one.

    Returns:
        `y` `[T, B, N, V]` and the final state.

    Raises:
        SeqexpError: if the chunk is no whole number from 1 up.
    """

    def body(state: Array, part: dict[str, Array]) -> tuple[Array, Array]:
        return _outer(state, part["q"], part["k"], part["v"], _summed(part))

    parts = {"q": q, "k": k, "v": v, "log_decay": log_decay}
    return _chunk_by_chunk(body, state, parts, mask, chunk)


def delta(
    q: Float[Array, "T B N K"],
    k: Float[Array, "T B N K"],
    v: Float[Array, "T B N V"],
    beta: Float[Array, "T B N 1"],
    log_decay: Float[Array, "T B N #K"] | None,
    state: Float[Array, "B N K V"],
    mask: Bool[Array, "T B"] | None,
    chunk: int | None = None,
) -> tuple[Float[Array, "T B N V"], Float[Array, "B N K V"]]:
    """All steps of `matrix_state.delta`, the delta rule.

        S_t = (I - beta_t k_t k_t^T) diag(exp(g_t)) S_{t-1} + beta_t k_t v_t^T
        y_t = S_t^T q_t

    Args:
        q: `[T, B, N, K]`.
        k: `[T, B, N, K]`, of a length that keeps beta |k|^2 within 0 and 2.
        v: `[T, B, N, V]`.
        beta: `[T, B, N, 1]`.
        log_decay: g, at most 0: `[T, B, N, 1]` of a head, `[T, B, N, K]` of each key, or None.
        state: S before the first step, `[B, N, K, V]`.
        mask: `[T, B]`, False where the state is held and the output 0; None if nowhere.
        chunk: C; None for the faster one.

    Returns:
        `y` `[T, B, N, V]` and the final state.

    Raises:
        SeqexpError: if the chunk is no whole number from 1 up.
    """

    def body(state: Array, part: dict[str, Array]) -> tuple[Array, Array]:
        q, k, v, beta = (part[name] for name in ("q", "k", "v", "beta"))
        total = _summed(part)
        # u_t + beta_t sum_{s<t} (k_t . exp(G_t - G_s) k_s) u_s = beta_t (v_t - S_0^T exp(G_t) k_t)
        matrix = beta * _scores(k, k, total, total, before=True)
        known = beta * (v - _scaled(k, total) @ state)
        return _outer(state, q, k, _solve(matrix, known), total)

    parts = {"q": q, "k": k, "v": v, "beta": beta, "log_decay": log_decay}
    return _chunk_by_chunk(body, state, parts, mask, chunk)


def low_rank(
    q: Float[Array, "T B N K"],
    k: Float[Array, "T B N K"],
    v: Float[Array, "T B N V"],
    a: Float[Array, "T B N K"],
    b: Float[Array, "T B N K"],
    log_decay: Float[Array, "T B N #K"],
    state: Float[Array, "B N K V"],
    mask: Bool[Array, "T B"] | None,
    chunk: int | None = None,
) -> tuple[Float[Array, "T B N V"], Float[Array, "B N K V"]]:
    """All steps of `matrix_state.low_rank`, a diagonal plus low-rank transition.

        S_t = diag(exp(g_t)) S_{t-1} + b_t (S_{t-1}^T a_t)^T + k_t v_t^T
        y_t = S_t^T q_t

    Args:
        q: `[T, B, N, K]`.
        k: `[T, B, N, K]`.
        v: `[T, B, N, V]`.
        a: `[T, B, N, K]`, what reads the state before it decays.
        b: `[T, B, N, K]`, under which what was read is added.
        log_decay: g, at most 0: `[T, B, N, 1]` of a head, or `[T, B, N, K]` of each key.
        state: S before the first step, `[B, N, K, V]`.
        mask: `[T, B]`, False where the state is held and the output 0; None if nowhere.
        chunk: C; None for the faster one.

    Returns:
        `y` `[T, B, N, V]` and the final state.

    Raises:
        SeqexpError: if the chunk is no whole number from 1 up.
    """

    def body(state: Array, part: dict[str, Array]) -> tuple[Array, Array]:
        q, k, v, a, b = (part[name] for name in ("q", "k", "v", "a", "b"))
        total = jnp.cumsum(part["log_decay"], -2)
        before = total - part["log_decay"]
        # Both kinds of what is written, [k v] and [b u], as one: 2 C rows.
        total_both, written = jnp.concatenate([total, total], -2), jnp.concatenate([k, b], -2)
        scores = _scores(a, written, before, total_both, before=True)
        by_value, by_read = jnp.split(scores, 2, axis=-1)
        u = _solve(-by_read, _scaled(a, before) @ state + by_value @ v)
        return _outer(state, q, written, jnp.concatenate([v, u], -2), total, total_both)

    parts = {"q": q, "k": k, "v": v, "a": a, "b": b, "log_decay": log_decay}
    return _chunk_by_chunk(body, state, parts, mask, chunk)


def require_chunk(chunk: int | None) -> None:
    """Raise SeqexpError unless it is a whole number from 1 up, or None."""
    if chunk is not None and (type(chunk) is not int or chunk < 1):
        raise SeqexpError(f"chunk must be a whole number of at least 1, or null, not {chunk!r}")


def _chunk_by_chunk(
    body: Callable[[Array, dict[str, Array]], tuple[Array, Array]],
    state: Array,
    parts: dict[str, Any],
    mask: Array | None,
    chunk: int | None,
) -> tuple[Array, Array]:
    """Scan `body` over chunks, `[B, N, C, ...]`, of arrays `[T, B, N, ...]`."""
    parts = {name: array for name, array in parts.items() if array is not None}
    if "log_decay" in parts:
        # exp of less is 0 or nearly; sums of more lose digits of what is added to them.
        least = math.log(jnp.finfo(state.dtype).tiny)
        parts["log_decay"] = jnp.maximum(parts["log_decay"], least)
    # Keys, values and log-decays of 0 hold the state.
    parts = where_mask(mask, parts, jax.tree.map(jnp.zeros_like, parts))
    steps = parts["v"].shape[0]
    size = min(steps, _chunk_size(chunk, parts))
    count = -(-steps // size)

    def split(array: Array) -> Array:
        filled = jnp.pad(array, [(0, count * size - steps)] + [(0, 0)] * 3)
        return filled.reshape(count, size, *array.shape[1:]).transpose(0, 2, 3, 1, 4)

    chunks = jax.tree.map(split, parts)
    if count == 1:
        state, ys = body(state, jax.tree.map(lambda array: array[0], chunks))
        ys = ys[None]
    else:
        # In a scan XLA can't merge what is computed again with what was computed before.
        state, ys = jax.lax.scan(jax.checkpoint(body, prevent_cse=False), state, chunks)
    ys = ys.transpose(0, 3, 1, 2, 4).reshape(count * size, *parts["v"].shape[1:])[:steps]
    return where_mask(mask, ys, jnp.zeros_like(ys)), state


def _chunk_size(chunk: int | None, parts: dict[str, Array]) -> int:
    require_chunk(chunk)
    if chunk is not None:
        return chunk
    keyed = "log_decay" in parts and parts["log_decay"].shape[-1] > 1
    return KEYED_CHUNK if keyed else CHUNK


def _summed(part: dict[str, Array]) -> Array | None:
    """G `[B, N, C, 1 or K]`, the sum of the log-decays up to each step of a chunk."""
    return jnp.cumsum(part["log_decay"], -2) if "log_decay" in part else None


def _outer(
    state: Array,
    q: Array,
    k: Array,
    u: Array,
    total: Array | None,
    total_written: Array | None = None,
) -> tuple[Array, Array]:
    """The state behind a chunk, and what is read in it, where every u is known."""
    written = total if total_written is None else total_written
    ys = _scaled(q, total) @ state + _scores(q, k, total, written) @ u
    if total is None or written is None:
        return state + jnp.swapaxes(k, -1, -2) @ u, ys
    last = total[..., -1:, :]
    added = jnp.swapaxes(_scaled(k, last - written), -1, -2) @ u
    return jnp.exp(jnp.swapaxes(last, -1, -2)) * state + added, ys


def _scaled(rows: Array, log_scale: Array | None) -> Array:
    return rows if log_scale is None else rows * jnp.exp(log_scale)


def _scores(
    q: Array, k: Array, later: Array | None, earlier: Array | None, before: bool = False
) -> Array:
    """q_t . exp(later_t - earlier_s) k_s for s <= t, or s < t if `before`; 0 elsewhere.

    Keys may be several times as many as queries: each kind has all steps.
    """
    steps, kinds = q.shape[-2], k.shape[-2] // q.shape[-2]
    causal = jnp.tile(jnp.tril(jnp.ones((steps, steps), bool), -1 if before else 0), (1, kinds))
    if later is None or earlier is None:
        scores = q @ jnp.swapaxes(k, -1, -2)
        return jnp.where(causal, scores, jnp.zeros_like(scores))
    if later.shape[-1] == 1:
        exponents = later - jnp.swapaxes(earlier, -1, -2)
        return q @ jnp.swapaxes(k, -1, -2) * jnp.exp(jnp.where(causal, exponents, -jnp.inf))
    exponents = later[..., :, None, :] - earlier[..., None, :, :]
    decays = jnp.exp(jnp.where(causal[..., None], exponents, -jnp.inf))
    return jnp.sum(q[..., :, None, :] * decays * k[..., None, :, :], -1)


def _solve(matrix: Array, known: Array) -> Array:
    """u of u + M u = known, M strictly lower triangular.

    (I + M)^-1 by blocks on the diagonal, of 1, 2, 4, ... steps, two of which, A and D, are one with
    B below A:

        [A 0; B D]^-1 = [A^-1 0; -D^-1 B A^-1 D^-1]

    `solve_triangular` of many small matrices takes XLA's CPU compiler tens of seconds.
    """
    steps = matrix.shape[-1]
    place, size = jnp.arange(steps), 1
    inverse = jnp.eye(steps, dtype=matrix.dtype)
    while size < steps:
        block = place // size
        below = (block[:, None] % 2 == 1) & (block[None, :] == block[:, None] - 1)
        joining = jnp.where(below, matrix, jnp.zeros_like(matrix))
        # The first blocks are 1.
        joined = joining if size == 1 else exact_product(exact_product(inverse, joining), inverse)
        inverse = inverse - joined
        size *= 2
    return exact_product(inverse, known)
