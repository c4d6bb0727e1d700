"""Causal convolutions over time, that go on from the inputs before."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float

from seqexp.recurrences.masking import where_mask
from seqexp.recurrences.products import project
from seqexp.types import Array


def unroll(
    xs: Float[Array, "T B D"],
    kernel: Float[Array, "K D *P"],
    past: Float[Array, "B S D"],
    mask: Bool[Array, "T B"] | None,
    dilation: int = 1,
) -> tuple[Float[Array, "T B _"], Float[Array, "B S D"]]:
    """All steps of a causal convolution.

        y_t = sum_{k=0}^{K-1} kernel_k x_{t - (K - 1 - k) dilation}

    Args:
        xs: `[T, B, D]`.
        kernel: `[K, D]` of a depthwise convolution, where each feature has its own filter, or
            `[K, D, P]`.
        past: `[B, S, D]`, the S = (K - 1) dilation inputs before the first; zeros for none.
        mask: `[T, B]`, False at padding; None if every step is real.
        dilation: steps between the inputs that are read.

    Returns:
        `[T, B, D]` or `[T, B, P]`, 0 at padding, and the last S true inputs.
    """
    steps = xs.shape[0]
    padded = jnp.concatenate([jnp.swapaxes(past, 0, 1), xs])
    if kernel.ndim == 2:
        ys = _depthwise(padded, kernel, dilation)
    else:
        ys = _filtered(_windows(padded, len(kernel), dilation), kernel)
    ys = where_mask(mask, ys, 0.0)
    span = past.shape[1]
    if mask is None:
        last = padded[steps:]
    else:
        start = jnp.sum(mask, 0, dtype=jnp.int32)
        places = jnp.arange(span, dtype=jnp.int32)[:, None] + start
        last = jnp.take_along_axis(padded, places[..., None], axis=0)
    return ys, jnp.swapaxes(last, 0, 1)


def step(
    x: Float[Array, "B D"],
    kernel: Float[Array, "K D *P"],
    past: Float[Array, "B S D"],
    dilation: int = 1,
) -> tuple[Float[Array, "B _"], Float[Array, "B S D"]]:
    """One step: `[B, D]` or `[B, P]`, and the past that includes `x`."""
    window = jnp.concatenate([past, x[:, None]], axis=1)
    inputs = [window[:, k * dilation] for k in range(len(kernel))]
    return _filtered(inputs, kernel), window[:, 1:]


def _windows(padded: Array, count: int, dilation: int) -> list[Array]:
    """What each number of a filter is multiplied with: `[T, B, D]` of `[S + T, B, D]`."""
    steps = len(padded) - (count - 1) * dilation
    return [padded[k * dilation : k * dilation + steps] for k in range(count)]


def _filtered(windows: list[Array], kernel: Array) -> Array:
    if kernel.ndim == 2:
        return sum(
            (x * w for x, w in zip(windows[1:], kernel[1:], strict=True)), windows[0] * kernel[0]
        )
    # One product of the windows side by side.
    return project(jnp.concatenate(windows, axis=-1), kernel.reshape(-1, kernel.shape[-1]))


def _depthwise_primal(
    padded: Float[Array, "S B D"], kernel: Float[Array, "K D"], dilation: int
) -> Float[Array, "T B D"]:
    return _filtered(_windows(padded, len(kernel), dilation), kernel)


def _depthwise_forward(padded, kernel, dilation):
    return _depthwise_primal(padded, kernel, dilation), (padded, kernel)


def _depthwise_backward(dilation, residuals, dys):
    padded, kernel = residuals
    span = (len(kernel) - 1) * dilation
    around = jnp.pad(dys, ((span, span), (0, 0), (0, 0)))
    by_padded = _filtered(_windows(around, len(kernel), dilation), kernel[::-1])
    # On a CPU XLA sums over leading axes an order of magnitude slower than a loop does.
    in_loop = jax.default_backend() == "cpu"
    by_kernel = _summed_in_loop if in_loop else _summed
    return by_padded, by_kernel(padded, dys, len(kernel), dilation)


def _summed(padded: Array, dys: Array, count: int, dilation: int) -> Array:
    """The gradient of the kernel, `[K, D]`."""
    windows = _windows(padded, count, dilation)
    return jnp.stack([jnp.sum(window * dys, (0, 1)) for window in windows])


def _summed_in_loop(padded: Array, dys: Array, count: int, dilation: int) -> Array:
    """The same, step by step."""

    def add(total: Array, now: tuple[Array, Array]) -> tuple[Array, None]:
        t, dy = now
        read = [
            jax.lax.dynamic_index_in_dim(padded, t + k * dilation, keepdims=False)
            for k in range(count)
        ]
        return total + jnp.stack(read) * dy, None

    none = jnp.zeros((count, *dys.shape[1:]), dys.dtype)
    return jnp.sum(jax.lax.scan(add, none, (jnp.arange(len(dys)), dys))[0], axis=1)


_depthwise = jax.custom_vjp(_depthwise_primal, nondiff_argnums=(2,))
_depthwise.defvjp(_depthwise_forward, _depthwise_backward)
