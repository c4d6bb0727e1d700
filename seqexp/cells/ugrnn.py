"""The update gate RNN: the least that is gated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Float

from seqexp.cells.fused import Equations, FusedCell, masked
from seqexp.cells.initializers import Initializer, gate_kernel
from seqexp.cells.protocol import SIGMOID, TANH, Activation, DropoutMasks
from seqexp.cells.sizes import require_number, require_sizes
from seqexp.recurrences.fused import Products
from seqexp.types import Array


class UGRNNCarry(NamedTuple):
    """`h` `[B, H]`."""

    h: Float[Array, "B H"]


class UGRNN(FusedCell):
    """Update gate RNN (Collins et al. 2017, https://arxiv.org/abs/1611.09913).

        g_t = sigmoid(x_t W_g + h_{t-1} U_g + b_g)
        c_t = tanh(x_t W_c + h_{t-1} U_c + b_c)
        h_t = g_t * h_{t-1} + (1 - g_t) * c_t

    The kernels and the bias hold g and c in this order.

    Args:
        in_features: D.
        features: H.
        forget_bias: where b_g starts, the paper's b^fg; b_c starts at 0.
        input_init: how W starts, a name that `initializer` knows or a callable.
        recurrent_init: how U starts, likewise.
        rngs: draws the parameters.

    Raises:
        SeqexpError: for sizes below 1 and unknown names.
    """

    def __init__(
        self,
        in_features: int,
        features: int,
        *,
        forget_bias: float = 1.0,
        input_init: str | Initializer = "glorot",
        recurrent_init: str | Initializer = "orthogonal",
        rngs: nnx.Rngs,
    ):
        require_sizes(in_features, features)
        require_number("forget_bias", forget_bias)
        self.in_features = in_features
        self.features = features
        self.out_features = features
        self.input_kernel = nnx.Param(
            gate_kernel(input_init, rngs.params(), in_features, features, gates=2)
        )
        self.recurrent_kernel = nnx.Param(
            gate_kernel(recurrent_init, rngs.params(), features, features, gates=2)
        )
        self.bias = nnx.Param(jnp.zeros(2 * features).at[:features].set(forget_bias))

    @property
    def recurrent_parameters(self) -> tuple[nnx.Param, ...]:
        """U."""
        return (self.recurrent_kernel,)

    def initial_carry(self, batch_size: int) -> UGRNNCarry:
        """Zeros."""
        return UGRNNCarry(jnp.zeros((batch_size, self.features), self.bias.dtype))

    @property
    def activation_kinds(self) -> Mapping[str, Activation]:
        """g, which keeps the previous state, as "update", and c as "candidate"."""
        return {"update": SIGMOID._replace(keeps=True), "candidate": TANH}

    def kernels(self) -> tuple[Float[Array, "H K"], ...]:
        """U."""
        return (self.recurrent_kernel[...],)

    def equations(self) -> Equations:
        """Those of the class."""
        return _equations


def _equations(
    carry: UGRNNCarry,
    projected: Float[Array, "B K"],
    small: tuple[()],
    products: Products,
    dropout: DropoutMasks,
) -> tuple[UGRNNCarry, Mapping[str, Array]]:
    (product,) = products
    seen = masked(carry.h, dropout, "hidden")
    gate, candidate = jnp.split(projected + product(seen), 2, axis=-1)
    g = jax.nn.sigmoid(gate)
    c = masked(jnp.tanh(candidate), dropout, "update")
    h = g * carry.h + (1 - g) * c
    return UGRNNCarry(h), {"update": g, "candidate": c}
