"""One step of the recurrences whose state is a matrix, as their equations read.

A state `S` `[B, N, K, V]` has for each of N heads K keys and V values. Decays are logarithms, at
most 0: `[B, N, 1]` of a head, `[B, N, K]` of each key, or None for no decay. `chunked.py` has the
same recurrences over whole sequences.
"""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Float

from seqexp.types import Array


def outer(
    state: Float[Array, "B N K V"],
    q: Float[Array, "#B #N K"],
    k: Float[Array, "#B #N K"],
    v: Float[Array, "B N V"],
    log_decay: Float[Array, "#B N #K"] | None,
) -> tuple[Float[Array, "B N K V"], Float[Array, "B N V"]]:
    """A decayed sum of outer products (Katharopoulos et al. 2020; Yang et al. 2024).

        S_t = diag(exp(g_t)) S_{t-1} + k_t v_t^T
        y_t = S_t^T q_t

    https://arxiv.org/abs/2006.16236, https://arxiv.org/abs/2312.06635

    Args:
        state: `[B, N, K, V]`.
        q: `[B, N, K]`, or `[B, 1, K]` for the same in all heads; likewise `k`.
        k: see `q`.
        v: `[B, N, V]`.
        log_decay: g.

    Returns:
        The new state and `y` `[B, N, V]`.
    """
    state = _decayed(state, log_decay) + k[..., None] * v[..., None, :]
    return state, read(state, q)


def delta(
    state: Float[Array, "B N K V"],
    q: Float[Array, "#B #N K"],
    k: Float[Array, "#B #N K"],
    v: Float[Array, "B N V"],
    beta: Float[Array, "B N 1"],
    log_decay: Float[Array, "#B N #K"] | None,
) -> tuple[Float[Array, "B N K V"], Float[Array, "B N V"]]:
    """The delta rule: what the key finds is replaced, by a share beta, by the value.

        S_t = (I - beta_t k_t k_t^T) diag(exp(g_t)) S_{t-1} + beta_t k_t v_t^T
        y_t = S_t^T q_t

    Schlag et al. 2021 (https://arxiv.org/abs/2102.11174) without decay, Yang et al. 2025
    (https://arxiv.org/abs/2412.06464) with one a head, Kimi Linear 2025
    (https://arxiv.org/abs/2510.26692) with one a key.

    Args:
        state: `[B, N, K, V]`.
        q: `[B, N, K]`, or `[B, 1, K]` for the same in all heads; likewise `k`.
        k: see `q`.
        v: `[B, N, V]`.
        beta: `[B, N, 1]`.
        log_decay: g.

    Returns:
        The new state and `y` `[B, N, V]`.
    """
    state = _decayed(state, log_decay)
    state = state + k[..., None] * (beta * (v - read(state, k)))[..., None, :]
    return state, read(state, q)


def low_rank(
    state: Float[Array, "B N K V"],
    q: Float[Array, "B N K"],
    k: Float[Array, "B N K"],
    v: Float[Array, "B N V"],
    a: Float[Array, "B N K"],
    b: Float[Array, "B N K"],
    log_decay: Float[Array, "#B N #K"],
) -> tuple[Float[Array, "B N K V"], Float[Array, "B N V"]]:
    """A transition that is diagonal plus low rank: the delta rule in general form.

        S_t = diag(exp(g_t)) S_{t-1} + b_t (S_{t-1}^T a_t)^T + k_t v_t^T
        y_t = S_t^T q_t

    Peng et al. 2025, equation 17 transposed (https://arxiv.org/abs/2503.14456).

    Args:
        state: `[B, N, K, V]`.
        q: `[B, N, K]`.
        k: `[B, N, K]`.
        v: `[B, N, V]`.
        a: `[B, N, K]`, what reads the state before it decays.
        b: `[B, N, K]`, under which what was read is added.
        log_decay: g.

    Returns:
        The new state and `y` `[B, N, V]`.
    """
    removed = read(state, a)
    state = _decayed(state, log_decay) + b[..., None] * removed[..., None, :]
    state = state + k[..., None] * v[..., None, :]
    return state, read(state, q)


def read(
    state: Float[Array, "B N K V"],
    q: Float[Array, "#B #N K"],
) -> Float[Array, "B N V"]:
    """S^T q."""
    return jnp.sum(state * q[..., None], -2)


def _decayed(state: Array, log_decay: Array | None) -> Array:
    return state if log_decay is None else state * jnp.exp(log_decay)[..., None]
