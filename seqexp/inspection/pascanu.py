"""What theory says of how far the gradient of a simple recurrent network reaches."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jaxtyping import Float, Int

from seqexp.cells import Elman
from seqexp.cells.stepwise import Stepwise
from seqexp.layers import Bidirectional, DropConnect, Recurrent, Variational
from seqexp.types import Array, Layer, SeqexpError

SAME_AT_EVALUATION = (Stepwise, Variational, DropConnect)
"""Wrappers whose cell takes the same steps without dropout as it would bare."""


def pascanu_bound(layer: Layer, lags: Int[Array, " K"]) -> Float[Array, " K"]:
    """The bound on what k steps of a tanh or relu recurrence do to a gradient.

        ||dh_t / dh_{t-k}||_2 <= (||U||_2 max |f'|)^k,    max |f'| = 1 for tanh and relu

    It bounds the largest singular value of the product of step Jacobians, and with one answer a
    sequence, taken from the last step of the top layer, ||dL/dh_{t-k}|| <= ||dL/dh_t|| times it.
    Where ||U||_2 < 1 gradients must vanish; where it is above 1 they may explode.

    Args:
        layer: an `Elman` cell run over time; of a bidirectional layer give one direction.
        lags: `[K]`, k, 0 or more.

    Returns:
        `[K]`; infinite where it exceeds what the dtype holds.

    Raises:
        SeqexpError: for another layer, to whose steps this bound does not apply.

    Source: Pascanu et al. 2013, https://arxiv.org/abs/1211.5063, section 2.1.
    """
    kernel = _elman(layer).recurrent_kernel[...]
    largest = jnp.linalg.norm(kernel, ord=2)
    return largest ** jnp.asarray(lags).astype(kernel.dtype)


def _elman(layer: Layer) -> Elman:
    if isinstance(layer, Bidirectional):
        raise SeqexpError(
            "a bidirectional layer has a bound for each direction: give its forward or its "
            "backward layer"
        )
    found: Any = layer.cell if isinstance(layer, Recurrent) else layer
    while isinstance(found, SAME_AT_EVALUATION):
        found = found.cell
    if not isinstance(found, Elman):
        raise SeqexpError(
            "Pascanu's bound is for an Elman network (tanh or relu), and not defined for "
            f"{type(found).__name__}: compare its step Jacobians"
        )
    return found
