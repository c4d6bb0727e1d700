"""The GRU's two recurrences, with backward passes written by hand.

The forward scans store the gates, not the pre-activations: what is stored XLA computes once, in a
separate loop on a CPU, instead of fusing the sigmoids into a slower one.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float

from seqexp.recurrences.blocks import scan_projected
from seqexp.recurrences.masking import where_mask
from seqexp.recurrences.products import (
    affine,
    affine_gradients,
    previous,
    project,
    summed_product,
    with_ones,
)
from seqexp.types import Array


def split_candidate(
    array: Float[Array, "*N G"],
) -> tuple[Float[Array, "*N R"], Float[Array, "*N H"]]:
    """The reset and update part `[..., 2 * H]` and the candidate part `[..., H]` of `3 * H`."""
    gate_width = array.shape[-1] // 3 * 2
    return array[..., :gate_width], array[..., gate_width:]


def unroll_before(
    xs: Float[Array, "T B D"],
    input_kernel: Float[Array, "D G"],
    recurrent_kernel: Float[Array, "H G"],
    bias: Float[Array, " G=3*H"],
    h: Float[Array, "B H"],
    mask: Bool[Array, "T B"] | None,
    reverse: bool,
) -> tuple[Float[Array, "T B H"], Float[Array, "B H"]]:
    """All steps of a GRU that resets before the product, time first.

        r, z = sigmoid(x_t W + h_{t-1} U + b)                  (their two thirds)
        n = tanh(x_t W + (r * h_{t-1}) U + b)                  (the last third)
        h_t = z * h_{t-1} + (1 - z) * n

    Args:
        xs: `[T, B, D]`, finite at padding.
        input_kernel: W `[D, 3 * H]`.
        recurrent_kernel: U `[H, 3 * H]`.
        bias: b `[3 * H]`.
        h: `[B, H]`, before the first step.
        mask: `[T, B]`, False where the carry is held and the output 0; None if nowhere.
        reverse: from the last step to the first.

    Returns:
        `hs` `[T, B, H]` and the final `h` `[B, H]`.
    """
    return _unroll_before(xs, input_kernel, recurrent_kernel, bias, h, mask, reverse)


def _primal_before(xs, input_kernel, recurrent_kernel, bias, h, mask, reverse):
    return scan_projected(_body_before(recurrent_kernel), h, xs, input_kernel, bias, mask, reverse)


def _body_before(recurrent_kernel):
    """A step, which gives the output and what the backward pass needs."""
    gate_kernel, candidate_kernel = split_candidate(recurrent_kernel)

    def body(h, inputs):
        x, keep = inputs
        x_gates, x_candidate = split_candidate(x)
        gates = jax.nn.sigmoid(x_gates + h @ gate_kernel)
        r, z = jnp.split(gates, 2, axis=-1)
        n = jnp.tanh(x_candidate + (r * h) @ candidate_kernel)
        new = z * h + (1 - z) * n
        y = where_mask(keep, new, jnp.zeros_like(h))
        return where_mask(keep, new, h), (y, gates, n)

    return body


def _forward_before(xs, input_kernel, recurrent_kernel, bias, h, mask, reverse):
    read = affine(xs, input_kernel, bias), mask
    final, (hs, gates, ns) = jax.lax.scan(_body_before(recurrent_kernel), h, read, reverse=reverse)
    return (hs, final), (xs, input_kernel, recurrent_kernel, h, mask, hs, gates, ns)


def _backward_before(reverse, residuals, cotangents):
    xs, input_kernel, recurrent_kernel, first, mask, hs, gates, ns = residuals
    dhs, dfinal = cotangents
    gate_kernel, candidate_kernel = split_candidate(recurrent_kernel)
    before = previous(hs, first, mask, reverse)

    def body(dh, inputs):
        gates, n, h, dy, keep = inputs
        r, z = jnp.split(gates, 2, axis=-1)
        dh_new = where_mask(keep, dh + dy, jnp.zeros_like(dh))
        dpre_n = dh_new * (1 - z) * (1 - n * n)
        dreset_h = dpre_n @ candidate_kernel.T
        dpre_r = dreset_h * h * r * (1 - r)
        dpre_z = dh_new * (h - n) * z * (1 - z)
        dpre_gates = jnp.concatenate([dpre_r, dpre_z], axis=-1)
        back = dh_new * z + dreset_h * r + dpre_gates @ gate_kernel.T
        if keep is not None:
            # A held step passes its gradient on as it is, and there the rest is 0.
            back = back + where_mask(keep, jnp.zeros_like(dh), dh)
        return back, (dpre_gates, dpre_n)

    dfirst, (dpre_gates, dpre_n) = jax.lax.scan(
        body, dfinal, (gates, ns, before, dhs, mask), reverse=not reverse
    )
    r, _ = jnp.split(gates, 2, axis=-1)
    gradients = [
        jnp.concatenate(parts, axis=-1)
        for parts in zip(
            affine_gradients(before, xs, dpre_gates),
            affine_gradients(r * before, xs, dpre_n),
            strict=True,
        )
    ]
    dprojected = jnp.concatenate([dpre_gates, dpre_n], axis=-1)
    return project(dprojected, input_kernel.T), *gradients, dfirst, None


_unroll_before = jax.custom_vjp(_primal_before, nondiff_argnums=(6,))
_unroll_before.defvjp(_forward_before, _backward_before)


def unroll_after(
    xs: Float[Array, "T B D"],
    input_kernel: Float[Array, "D G"],
    recurrent_kernel: Float[Array, "H G"],
    bias: Float[Array, " G=3*H"],
    reset_bias: Float[Array, " H"],
    h: Float[Array, "B H"],
    mask: Bool[Array, "T B"] | None,
    reverse: bool,
) -> tuple[Float[Array, "T B H"], Float[Array, "B H"]]:
    """All steps of a GRU that resets after the product, time first.

        r, z = sigmoid(x_t W + h_{t-1} U + b)                        (their two thirds)
        n = tanh(x_t W + b + r * (h_{t-1} U + a))                    (the last third)
        h_t = z * h_{t-1} + (1 - z) * n

    Args:
        xs: `[T, B, D]`, finite at padding.
        input_kernel: W `[D, 3 * H]`.
        recurrent_kernel: U `[H, 3 * H]`.
        bias: b `[3 * H]`.
        reset_bias: a `[H]`, inside the reset.
        h: `[B, H]`, before the first step.
        mask: `[T, B]`, False where the carry is held and the output 0; None if nowhere.
        reverse: from the last step to the first.

    Returns:
        `hs` `[T, B, H]` and the final `h` `[B, H]`.
    """
    return _unroll_after(xs, input_kernel, recurrent_kernel, bias, reset_bias, h, mask, reverse)


def _primal_after(xs, input_kernel, recurrent_kernel, bias, reset_bias, h, mask, reverse):
    body = _body_after(recurrent_kernel, reset_bias)
    return scan_projected(body, h, xs, input_kernel, bias, mask, reverse)


def _body_after(recurrent_kernel, reset_bias):
    """A step, which gives the output and what the backward pass needs."""

    def body(h, inputs):
        x, keep = inputs
        x_gates, x_candidate = split_candidate(x)
        u_gates, u_candidate = split_candidate(h @ recurrent_kernel)
        gates = jax.nn.sigmoid(x_gates + u_gates)
        inner = u_candidate + reset_bias
        r, z = jnp.split(gates, 2, axis=-1)
        n = jnp.tanh(x_candidate + r * inner)
        new = z * h + (1 - z) * n
        # Not the carry's expression: so XLA's CPU code computes gates and n in separate loops even
        # where neither is stored, which is 2 to 4 times as fast.
        y = where_mask(keep, n + z * (h - n), jnp.zeros_like(h))
        return where_mask(keep, new, h), (y, gates, inner, n)

    return body


def _forward_after(xs, input_kernel, recurrent_kernel, bias, reset_bias, h, mask, reverse):
    read = affine(xs, input_kernel, bias), mask
    body = _body_after(recurrent_kernel, reset_bias)
    final, (hs, gates, inner, ns) = jax.lax.scan(body, h, read, reverse=reverse)
    return (hs, final), (xs, input_kernel, recurrent_kernel, h, mask, hs, gates, inner, ns)


def _backward_after(reverse, residuals, cotangents):
    xs, input_kernel, recurrent_kernel, first, mask, hs, gates, inner, ns = residuals
    dhs, dfinal = cotangents
    before = previous(hs, first, mask, reverse)
    transposed = recurrent_kernel.T

    def body(dh, inputs):
        gates, inner, n, h, dy, keep = inputs
        r, z = jnp.split(gates, 2, axis=-1)
        dh_new = where_mask(keep, dh + dy, jnp.zeros_like(dh))
        dpre_n = dh_new * (1 - z) * (1 - n * n)
        dpre_r = dpre_n * inner * r * (1 - r)
        dpre_z = dh_new * (h - n) * z * (1 - z)
        dinner = jnp.concatenate([dpre_r, dpre_z, dpre_n * r], axis=-1)
        back = dh_new * z + dinner @ transposed
        if keep is not None:
            # A held step passes its gradient on as it is, and there the rest is 0.
            back = back + where_mask(keep, jnp.zeros_like(dh), dh)
        return back, (dinner, dpre_n)

    dfirst, (dinner, dpre_n) = jax.lax.scan(
        body, dfinal, (gates, inner, ns, before, dhs, mask), reverse=not reverse
    )
    dgates, _ = split_candidate(dinner)
    dprojected = jnp.concatenate([dgates, dpre_n], axis=-1)
    # The reset lies between the candidate's two shares, so W and U see different gradients.
    dinput = summed_product(with_ones(xs), dprojected)
    drecurrent = summed_product(with_ones(before), dinner)
    _, dreset_bias = split_candidate(drecurrent[-1])
    dxs = project(dprojected, input_kernel.T)
    return dxs, dinput[:-1], drecurrent[:-1], dinput[-1], dreset_bias, dfirst, None


_unroll_after = jax.custom_vjp(_primal_after, nondiff_argnums=(7,))
_unroll_after.defvjp(_forward_after, _backward_after)
