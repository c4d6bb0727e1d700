"""Causal convolutions over time, that go on from the inputs before."""

from __future__ import annotations

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
    windows = [padded[k * dilation : k * dilation + steps] for k in range(len(kernel))]
    ys = where_mask(mask, _filtered(windows, kernel), 0.0)
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


def _filtered(windows: list[Array], kernel: Array) -> Array:
    if kernel.ndim == 2:
        return sum(
            (x * w for x, w in zip(windows[1:], kernel[1:], strict=True)), windows[0] * kernel[0]
        )
    # One product of the windows side by side.
    return project(jnp.concatenate(windows, axis=-1), kernel.reshape(-1, kernel.shape[-1]))
