"""The selective scan: a diagonal recurrence whose states are wider than what goes in and out."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float

from seqexp.recurrences.masking import where_mask
from seqexp.types import Array

CHUNK = 16
"""Steps whose states are held at once."""


def unroll(
    us: Float[Array, "T B E"],
    dt: Float[Array, "T B E"],
    A: Float[Array, "N E"],
    B: Float[Array, "T B N"],
    C: Float[Array, "T B N"],
    h: Float[Array, "B N E"],
    mask: Bool[Array, "T B"] | None,
) -> tuple[Float[Array, "T B E"], Float[Array, "B N E"]]:
    """All steps, time first (Gu and Dao 2023, https://arxiv.org/abs/2312.00752, algorithm 2).

        h_t = exp(dt_t A) * h_{t-1} + dt_t B_t u_t         N numbers for each of E units
        y_t = C_t h_t

    The forward pass keeps the states at the start of each chunk of 16 steps alone, the backward
    pass computes the others again, a chunk at a time: `[T, B, N, E]` is never there.

    Args:
        us: `[T, B, E]`, finite at padding.
        dt: `[T, B, E]`, from 0 up.
        A: `[N, E]`, below 0.
        B: `[T, B, N]`.
        C: `[T, B, N]`.
        h: `[B, N, E]`, before the first step.
        mask: `[T, B]`, False where the state is held and the output 0; None if nowhere.

    Returns:
        `ys` `[T, B, E]` and the final h.
    """
    steps = len(us)
    # A step of dt = 0 holds the state.
    dt = where_mask(mask, dt, jnp.zeros_like(dt))
    chunk = min(CHUNK, steps)
    missing = -steps % chunk

    def chunks(array: Array) -> Array:
        padded = jnp.pad(array, ((0, missing), (0, 0), (0, 0))) if missing else array
        return padded.reshape(-1, chunk, *array.shape[1:])

    ys, h = _unroll(*map(chunks, (us, dt)), A, *map(chunks, (B, C)), h)
    ys = ys.reshape(-1, *us.shape[1:])[:steps]
    return where_mask(mask, ys, jnp.zeros_like(ys)), h


def step(
    u: Float[Array, "B E"],
    dt: Float[Array, "B E"],
    A: Float[Array, "N E"],
    B: Float[Array, "B N"],
    C: Float[Array, "B N"],
    h: Float[Array, "B N E"],
) -> tuple[Float[Array, "B E"], Float[Array, "B N E"]]:
    """One step: `u` `[B, E]` to `y` `[B, E]`, and the new h."""
    h = jnp.exp(dt[:, None] * A) * h + B[:, :, None] * (dt * u)[:, None]
    return jnp.sum(C[:, :, None] * h, axis=1), h


def _primal(us, dt, A, B, C, h):
    return _forward(us, dt, A, B, C, h)[0]


def _forward(us, dt, A, B, C, h):
    def advance(h, now):
        u, dt, B, C = now
        y, h = step(u, dt, A, B, C, h)
        return h, y

    def chunk(h, now):
        final, ys = jax.lax.scan(advance, h, now)
        return final, (ys, h)

    final, (ys, starts) = jax.lax.scan(chunk, h, (us, dt, B, C))
    return (ys, final), (us, dt, A, B, C, starts)


def _backward(residuals, cotangents):
    us, dt, A, B, C, starts = residuals
    dys, dfinal = cotangents

    def ahead(h, now):
        """The new h, and what is left of the old one, of which all gradients can be made."""
        decay, entering, B = now
        kept = decay * h
        return kept + B[:, :, None] * entering[:, None], kept

    def back(carry, now):
        dh, dA = carry
        dt, decay, B, C, dy, kept = now
        dnew = dh + C[:, :, None] * dy[:, None]
        slope = dnew * kept
        by_rate = jnp.sum(slope * A, axis=1)
        by_input = jnp.sum(dnew * B[:, :, None], axis=1)
        carry = decay * dnew, dA + slope * dt[:, None]
        return carry, (by_rate, by_input, dnew)

    def chunk(carry, now):
        u, dt, B, C, h, dy = now
        entering = dt * u
        # Once for both directions, of all steps of the chunk.
        decay = jnp.exp(dt[:, :, None] * A)
        _, kept = jax.lax.scan(ahead, h, (decay, entering, B))
        carry, (by_rate, by_input, dnew) = jax.lax.scan(
            back, carry, (dt, decay, B, C, dy, kept), reverse=True
        )
        dB = jnp.einsum("tbne,tbe->tbn", dnew, entering)
        dC = jnp.einsum("tbne,tbe->tbn", kept, dy) + B * jnp.sum(entering * dy, -1, keepdims=True)
        return carry, (by_input * dt, by_rate + by_input * u, dB, dC)

    # The gradient of A is summed over the batch at the end: such sums are slow on a CPU.
    (dh, dA), (dus, ddt, dB, dC) = jax.lax.scan(
        chunk, (dfinal, jnp.zeros_like(starts[0])), (us, dt, B, C, starts, dys), reverse=True
    )
    return dus, ddt, jnp.sum(dA, 0), dB, dC, dh


_unroll = jax.custom_vjp(_primal)
_unroll.defvjp(_forward, _backward)
