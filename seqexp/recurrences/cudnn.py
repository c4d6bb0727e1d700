"""The LSTM's recurrence by cuDNN, on an NVIDIA GPU."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_batching import sequential_vmap
from jax.experimental.layout import Layout, with_layout_constraint
from jax.extend import backend
from jaxtyping import Bool, Float

from seqexp.recurrences.masking import backward, where_mask
from seqexp.types import Array, SeqexpError


def available() -> bool:
    """Whether JAX runs on an NVIDIA GPU."""
    # To JAX an AMD GPU is a "gpu" too, but MIOpen has its gates in another order.
    return jax.default_backend() == "gpu" and "rocm" not in backend.get_backend().platform_version


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
    """All steps of a plain LSTM, time first: what `seqexp.recurrences.lstm.unroll` computes.

    Products are true float32, never TF32, whatever `jax_default_matmul_precision` says. Under
    `vmap` cuDNN is called for one member after the other.

    Args:
        xs: `[T, B, D]`.
        input_kernel: W `[D, 4 * H]`.
        recurrent_kernel: U `[H, 4 * H]`.
        bias: b `[4 * H]`.
        c: `[B, H]`, before the first step.
        h: `[B, H]`, before the first step.
        mask: `[T, B]`, False at padding, which stands on the right; None if nowhere.
        reverse: from the last step to the first.

    Returns:
        `hs` `[T, B, H]`, and the final `(c, h)`.

    Raises:
        SeqexpError: for anything but float32.

    Source: `jax.experimental.rnn`, over cuDNN's (Appleyard et al. 2016,
    https://arxiv.org/abs/1604.01946).
    """
    for array in (xs, input_kernel, recurrent_kernel, bias, c, h):
        if array.dtype != jnp.float32:
            raise SeqexpError(
                f"implementation=cudnn computes in float32 only, not {array.dtype}: "
                "use implementation=scan"
            )
    steps, batch_size, _ = xs.shape
    lengths = jnp.full(batch_size, steps) if mask is None else jnp.sum(mask, 0)

    def in_direction(sequences: Array) -> Array:
        return backward(sequences, mask) if reverse else sequences

    # cuDNN's bias is the sum of two.
    weights = [input_kernel.T.ravel(), recurrent_kernel.T.ravel(), bias, jnp.zeros_like(bias)]
    # Both ways: what cuDNN writes at padding, into the gradient of its inputs too, is not defined.
    inputs = in_direction(where_mask(mask, xs, jnp.zeros_like(xs)))
    hs, last_h, last_c = _lstm(
        jnp.swapaxes(inputs, 0, 1),
        h[None],
        c[None],
        jnp.concatenate(weights),
        # It fails on a length of 0: https://github.com/jax-ml/jax/issues/17966
        jnp.maximum(lengths, 1).astype(jnp.int32),
    )
    hs = in_direction(jnp.swapaxes(hs, 0, 1))
    started = None if mask is None else lengths > 0
    return (
        where_mask(mask, hs, jnp.zeros_like(hs)),
        where_mask(started, (last_c[0], last_h[0]), (c, h)),
    )


def _options(x: Array, h: Array) -> tuple[Any, ...]:
    """Features in and out, layers, dropout, whether bidirectional, and the precision."""
    return x.shape[-1], h.shape[-1], 1, 0.0, False, jax.lax.Precision.HIGHEST


# `rnn.lstm` is these two passes, but has no rule for vmap, which members side by side need.
@sequential_vmap
def _forward(x, h, c, weights, lengths):
    # Not at the top: all cells would go with this module, if a JAX to come should drop it.
    from jax.experimental import rnn

    x, h, c = map(_row_major, (x, h, c))
    results, residuals = rnn.lstm_fwd(x, h, c, weights, lengths, *_options(x, h))
    return jax.tree.map(_row_major, (results, residuals))


@sequential_vmap
def _backward(residuals, cotangents):
    from jax.experimental import rnn

    options = _options(*residuals[:2])
    residuals, cotangents = jax.tree.map(_row_major, (residuals, cotangents))
    *gradients, _ = rnn.lstm_bwd(*options, residuals=residuals, gradients=cotangents)
    return jax.tree.map(_row_major, gradients)


def _row_major(array: Array) -> Array:
    """The same array, laid out as cuDNN reads and writes it.

    JAX doesn't say so for its calls of cuDNN, so within a program XLA makes a transposition of
    their operands and results one of layout alone, and the numbers are others (jax 0.11.2).
    """
    layout = Layout(major_to_minor=tuple(range(array.ndim)))
    return with_layout_constraint(array, layout)


@jax.custom_vjp
def _lstm(x, h, c, weights, lengths):
    return _forward(x, h, c, weights, lengths)[0]


_lstm.defvjp(_forward, lambda residuals, cotangents: (*_backward(residuals, cotangents), None))
