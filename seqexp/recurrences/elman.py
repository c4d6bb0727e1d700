"""The simple recurrence h_t = f(x_t W + h_{t-1} U + b), with a backward pass written by hand."""

from __future__ import annotations

from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float

from seqexp.recurrences.blocks import scan_projected
from seqexp.recurrences.masking import where_mask
from seqexp.recurrences.products import affine_gradients, previous, project
from seqexp.types import Array

Activation = Literal["tanh", "relu"]


def activate(pre: Float[Array, "*N H"], activation: Activation) -> Float[Array, "*N H"]:
    """tanh or relu."""
    return jnp.tanh(pre) if activation == "tanh" else jax.nn.relu(pre)


def unroll(
    xs: Float[Array, "T B D"],
    input_kernel: Float[Array, "D H"],
    recurrent_kernel: Float[Array, "H H"],
    bias: Float[Array, " H"],
    h: Float[Array, "B H"],
    mask: Bool[Array, "T B"] | None,
    activation: Activation,
    reverse: bool,
) -> tuple[Float[Array, "T B H"], Float[Array, "B H"]]:
    """All steps of an Elman network, time first.

        h_t = f(x_t W + h_{t-1} U + b)

    The input's share is one product before the loop. The backward pass gathers the gradients of
    the pre-activations in its scan, and those of W, U and b are one product after it: that is what
    makes it fast.

    Args:
        xs: `[T, B, D]`, finite at padding.
        input_kernel: W `[D, H]`.
        recurrent_kernel: U `[H, H]`.
        bias: b `[H]`.
        h: `[B, H]`, before the first step.
        mask: `[T, B]`, False where the carry is held and the output 0; None if nowhere.
        activation: "tanh" or "relu".
        reverse: from the last step to the first.

    Returns:
        `hs` `[T, B, H]` and the final `h` `[B, H]`.
    """
    return _unroll(xs, input_kernel, recurrent_kernel, bias, h, mask, activation, reverse)


def _primal(
    xs: Float[Array, "T B D"],
    input_kernel: Float[Array, "D H"],
    recurrent_kernel: Float[Array, "H H"],
    bias: Float[Array, " H"],
    h: Float[Array, "B H"],
    mask: Bool[Array, "T B"] | None,
    activation: Activation,
    reverse: bool,
) -> tuple[Float[Array, "T B H"], Float[Array, "B H"]]:
    def body(h: Array, inputs: tuple[Array, Array | None]) -> tuple[Array, tuple[Array]]:
        x, keep = inputs
        new = activate(x + h @ recurrent_kernel, activation)
        return where_mask(keep, new, h), (where_mask(keep, new, jnp.zeros_like(new)),)

    return scan_projected(body, h, xs, input_kernel, bias, mask, reverse)


def _forward(xs, input_kernel, recurrent_kernel, bias, h, mask, activation, reverse):
    hs, final = _primal(xs, input_kernel, recurrent_kernel, bias, h, mask, activation, reverse)
    return (hs, final), (xs, input_kernel, recurrent_kernel, h, mask, hs)


def _backward(activation, reverse, residuals, cotangents):
    xs, input_kernel, recurrent_kernel, first, mask, hs = residuals
    dhs, dfinal = cotangents
    transposed = recurrent_kernel.T

    def body(dh: Array, inputs: tuple[Array, Array, Array | None]) -> tuple[Array, Array]:
        h, dy, keep = inputs
        slope = 1 - h * h if activation == "tanh" else (h > 0).astype(h.dtype)
        dpre = where_mask(keep, (dh + dy) * slope, jnp.zeros_like(dh))
        back = dpre @ transposed
        # A held step passes its gradient on as it is, and there `back` is 0.
        return back if keep is None else back + where_mask(keep, jnp.zeros_like(dh), dh), dpre

    dfirst, dpre = jax.lax.scan(body, dfinal, (hs, dhs, mask), reverse=not reverse)
    gradients = affine_gradients(previous(hs, first, mask, reverse), xs, dpre)
    return project(dpre, input_kernel.T), *gradients, dfirst, None


_unroll = jax.custom_vjp(_primal, nondiff_argnums=(6, 7))
_unroll.defvjp(_forward, _backward)
