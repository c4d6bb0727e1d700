"""The minimal gated unit: a GRU with one gate."""

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
from seqexp.cells.sizes import require_sizes
from seqexp.recurrences.fused import Products
from seqexp.types import Array


class MGUCarry(NamedTuple):
    """`h` `[B, H]`."""

    h: Float[Array, "B H"]


class MGU(FusedCell):
    """Minimal gated unit (Zhou et al. 2016, https://arxiv.org/abs/1603.09420).

        f_t = sigmoid(x_t W_f + h_{t-1} U_f + b_f)
        n_t = tanh(x_t W_h + (f_t * h_{t-1}) U_h + b_h)
        h_t = (1 - f_t) * h_{t-1} + f_t * n_t

    The kernels and the bias hold f and n in this order.

    Args:
        in_features: D.
        features: H.
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
        input_init: str | Initializer = "glorot",
        recurrent_init: str | Initializer = "orthogonal",
        rngs: nnx.Rngs,
    ):
        require_sizes(in_features, features)
        self.in_features = in_features
        self.features = features
        self.out_features = features
        self.input_kernel = nnx.Param(
            gate_kernel(input_init, rngs.params(), in_features, features, gates=2)
        )
        self.recurrent_kernel = nnx.Param(
            gate_kernel(recurrent_init, rngs.params(), features, features, gates=2)
        )
        self.bias = nnx.Param(jnp.zeros(2 * features))

    @property
    def recurrent_parameters(self) -> tuple[nnx.Param, ...]:
        """U."""
        return (self.recurrent_kernel,)

    def initial_carry(self, batch_size: int) -> MGUCarry:
        """Zeros."""
        return MGUCarry(jnp.zeros((batch_size, self.features), self.bias.dtype))

    @property
    def activation_kinds(self) -> Mapping[str, Activation]:
        """1 - f, which keeps the previous state, as "update", and n as "candidate"."""
        return {"update": SIGMOID._replace(keeps=True), "candidate": TANH}

    def kernels(self) -> tuple[Float[Array, "H H"], ...]:
        """U_f and U_h."""
        gate, candidate = jnp.split(self.recurrent_kernel[...], 2, axis=-1)
        return gate, candidate

    def equations(self) -> Equations:
        """Those of the class."""
        return _equations


def _equations(
    carry: MGUCarry,
    projected: Float[Array, "B K"],
    small: tuple[()],
    products: Products,
    dropout: DropoutMasks,
) -> tuple[MGUCarry, Mapping[str, Array]]:
    x_gate, x_candidate = jnp.split(projected, 2, axis=-1)
    gate, candidate = products
    seen = masked(carry.h, dropout, "hidden")
    f = jax.nn.sigmoid(x_gate + gate(seen))
    n = masked(jnp.tanh(x_candidate + candidate(f * seen)), dropout, "update")
    keep = 1 - f
    h = keep * carry.h + f * n
    return MGUCarry(h), {"update": keep, "candidate": n}
