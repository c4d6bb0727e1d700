"""Exponential gates, stabilised: weights beyond any float, by their logarithms."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float

from seqexp.recurrences.masking import where_mask
from seqexp.types import Array


def stabilized(
    log_forget: Float[Array, "T B N"],
    log_input: Float[Array, "T B N"],
    m: Float[Array, "B N"],
    mask: Bool[Array, "T B"] | None,
) -> tuple[
    Float[Array, "T B N"], Float[Array, "T B N"], Float[Array, "T B N"], Float[Array, "B N"]
]:
    """Gates of at most 1 that give the same state up to a factor exp(m_t) (Beck et al. 2024,
    equations 15 to 17, https://arxiv.org/abs/2405.04517).

        m_t = max(log f_t + m_{t-1}, log i_t)
        log f'_t = log f_t + m_{t-1} - m_t
        i'_t = exp(log i_t - m_t)

    All m at once: with F_t the sum of log f up to step t,

        m_t = F_t + max(m_0, max_{s<=t} log i_s - F_s)

    Whatever m is, what is computed with it is the same, so it has no gradient; but for m before the
    first step, which a carry brings.

    Args:
        log_forget: log f, `[T, B, N]`.
        log_input: log i, `[T, B, N]`.
        m: before the first step, `[B, N]`.
        mask: `[T, B]`, False where m is held, f' and i' being arbitrary there; None if nowhere.

    Returns:
        log f', i' and m, `[T, B, N]`, and the final m, `[B, N]`.
    """
    forget, entered, first = jax.lax.stop_gradient((log_forget, log_input, m))
    total = jnp.cumsum(where_mask(mask, forget, jnp.zeros_like(forget)), 0)
    entered = where_mask(mask, entered - total, jnp.full_like(entered, -jnp.inf))
    ms = total + jnp.maximum(first, jax.lax.cummax(entered, axis=0))
    before = jnp.concatenate([m[None], ms[:-1]])
    log_scale = where_mask(mask, log_input - ms, jnp.zeros_like(ms))
    # Where no step is real, the carry stays as it was, with its gradient.
    final = ms[-1] if mask is None else where_mask(mask[0], ms[-1], m)
    return log_forget + before - ms, jnp.exp(log_scale), ms, final


def stabilized_step(
    log_forget: Float[Array, "B N"], log_input: Float[Array, "B N"], m: Float[Array, "B N"]
) -> tuple[Float[Array, "B N"], Float[Array, "B N"], Float[Array, "B N"]]:
    """One step of `stabilized`: log f', i' and the new m, `[B, N]`."""
    new = jax.lax.stop_gradient(jnp.maximum(log_forget + m, log_input))
    return log_forget + m - new, jnp.exp(log_input - new), new
