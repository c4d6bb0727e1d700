"""The LSTM's recurrence, with a backward pass written by hand."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float

from seqexp.recurrences.blocks import scan_projected
from seqexp.recurrences.masking import where_mask
from seqexp.recurrences.products import affine, affine_gradients, previous, project
from seqexp.types import Array


def gates(
    pre: Float[Array, "B G"],
) -> tuple[Float[Array, "B H"], Float[Array, "B H"], Float[Array, "B H"], Float[Array, "B H"]]:
    """Input, forget, candidate and output gate `[B, H]` of pre-activations `[B, 4 * H]`."""
    # One sigmoid over all four, though one goes unused: cut up before it, XLA's CPU code computes
    # it anew for each of its readers.
    i, f, _, o = jnp.split(jax.nn.sigmoid(pre), 4, axis=-1)
    _, _, g, _ = jnp.split(pre, 4, axis=-1)
    return i, f, jnp.tanh(g), o


def unroll(
    xs: Float[Array, "T B D"],
    input_kernel: Float[Array, "D G"],
    recurrent_kernel: Float[Array, "H G"],
    bias: Float[Array, " G=4*H"],
    c: Float[Array, "B H"],
    h: Float[Array, "B H"],
    mask: Bool[Array, "T B"] | None,
    reverse: bool,
) -> tuple[Float[Array, "T B H"], tuple[Float[Array, "B H"], Float[Array, "B H"]]]:
    """All steps of a plain LSTM, time first.

        i, f, g, o = gates(x_t W + h_{t-1} U + b)
        c_t = f * c_{t-1} + i * g
        h_t = o * tanh(c_t)

    The input's share is one product before the loop. The forward scan keeps the pre-activations
    and c_{t-1}, from which the backward scan computes the gates again: cheaper than storing them.
    The backward scan gathers the gradients of the pre-activations, and those of W, U and b are one
    product after it.

    Args:
        xs: `[T, B, D]`, finite at padding.
        input_kernel: W `[D, 4 * H]`.
        recurrent_kernel: U `[H, 4 * H]`.
        bias: b `[4 * H]`.
        c: `[B, H]`, before the first step.
        h: `[B, H]`, before the first step.
        mask: `[T, B]`, False where the carry is held and the output 0; None if nowhere.
        reverse: from the last step to the first.

    Returns:
        `hs` `[T, B, H]`, and the final `(c, h)`.
    """
    return _unroll(xs, input_kernel, recurrent_kernel, bias, c, h, mask, reverse)


def _primal(xs, input_kernel, recurrent_kernel, bias, c, h, mask, reverse):
    return scan_projected(_body(recurrent_kernel), (c, h), xs, input_kernel, bias, mask, reverse)


def _body(recurrent_kernel):
    """A step, which gives the output and what the backward pass needs."""

    def body(carry, inputs):
        x, keep = inputs
        c, h = carry
        pre = x + h @ recurrent_kernel
        i, f, g, o = gates(pre)
        new_c = f * c + i * g
        new_h = o * jnp.tanh(new_c)
        held = where_mask(keep, (new_c, new_h), carry)
        return held, (where_mask(keep, new_h, jnp.zeros_like(h)), pre, c)

    return body


def _forward(xs, input_kernel, recurrent_kernel, bias, c, h, mask, reverse):
    read = affine(xs, input_kernel, bias), mask
    body = _body(recurrent_kernel)
    final, (hs, pre, c_before) = jax.lax.scan(body, (c, h), read, reverse=reverse)
    return (hs, final), (xs, input_kernel, recurrent_kernel, h, mask, hs, pre, c_before)


def _backward(reverse, residuals, cotangents):
    xs, input_kernel, recurrent_kernel, first_h, mask, hs, pre, c_before = residuals
    dhs, (dc_final, dh_final) = cotangents
    transposed = recurrent_kernel.T

    def body(carry, inputs):
        dc, dh = carry
        pre, c, dy, keep = inputs
        i, f, g, o = gates(pre)
        tanh_c = jnp.tanh(f * c + i * g)
        dh_new = dh + dy
        dc_new = dc + dh_new * o * (1 - tanh_c * tanh_c)
        dpre = jnp.concatenate(
            [
                dc_new * g * i * (1 - i),
                dc_new * c * f * (1 - f),
                dc_new * i * (1 - g * g),
                dh_new * tanh_c * o * (1 - o),
            ],
            axis=-1,
        )
        dpre = where_mask(keep, dpre, jnp.zeros_like(dpre))
        back = dpre @ transposed
        if keep is not None:
            # A held step passes its gradient on as it is, and there `back` is 0.
            back = back + where_mask(keep, jnp.zeros_like(dh), dh)
        return (where_mask(keep, dc_new * f, dc), back), dpre

    (dc, dh), dpre = jax.lax.scan(
        body, (dc_final, dh_final), (pre, c_before, dhs, mask), reverse=not reverse
    )
    gradients = affine_gradients(previous(hs, first_h, mask, reverse), xs, dpre)
    return project(dpre, input_kernel.T), *gradients, dc, dh, None


_unroll = jax.custom_vjp(_primal, nondiff_argnums=(7,))
_unroll.defvjp(_forward, _backward)
