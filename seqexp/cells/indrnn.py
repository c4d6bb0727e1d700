"""The independently recurrent network: each unit sees its own past alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Float

from seqexp.cells.fused import Equations, FusedCell, masked, refuse_update
from seqexp.cells.initializers import Initializer, gate_kernel
from seqexp.cells.protocol import Activation, DropoutMasks
from seqexp.cells.sizes import require_number, require_sizes
from seqexp.recurrences.fused import Products
from seqexp.types import Array


class IndRNNCarry(NamedTuple):
    """`h` `[B, H]`."""

    h: Float[Array, "B H"]


class IndRNN(FusedCell):
    """Independently recurrent network (Li et al. 2018, https://arxiv.org/abs/1803.04831).

        h_t = relu(x_t W + u * h_{t-1} + b)

    u starts uniform in [0, limit] and is read clipped to [-limit, limit], so that no gradient
    explodes over T steps where limit is 2^(1/T) (section 3 of the paper).

    Args:
        in_features: D.
        features: H.
        recurrent_limit: the largest |u|.
        input_init: how W starts, a name that `initializer` knows or a callable.
        rngs: draws the parameters.

    Raises:
        SeqexpError: for sizes below 1, a limit that is not above 0, and unknown names; and, on
            use, for `dropout["update"]`.
    """

    fused = False

    def __init__(
        self,
        in_features: int,
        features: int,
        *,
        recurrent_limit: float = 1.0,
        input_init: str | Initializer = "glorot",
        rngs: nnx.Rngs,
    ):
        require_sizes(in_features, features)
        require_number("recurrent_limit", recurrent_limit, above=0)
        self.in_features = in_features
        self.features = features
        self.out_features = features
        self.recurrent_limit = recurrent_limit
        self.input_kernel = nnx.Param(
            gate_kernel(input_init, rngs.params(), in_features, features, gates=1)
        )
        self.recurrent_weights = nnx.Param(
            jax.random.uniform(rngs.params(), (features,), maxval=recurrent_limit)
        )
        self.bias = nnx.Param(jnp.zeros(features))

    @property
    def recurrent_parameters(self) -> tuple[nnx.Param, ...]:
        """u."""
        return (self.recurrent_weights,)

    def initial_carry(self, batch_size: int) -> IndRNNCarry:
        """Zeros."""
        return IndRNNCarry(jnp.zeros((batch_size, self.features), self.bias.dtype))

    @property
    def activation_kinds(self) -> Mapping[str, Activation]:
        """h as "hidden", from 0 up."""
        return {"hidden": Activation(0.0, math.inf)}

    def small(self) -> Float[Array, " H"]:
        """u within its limits; the gradient passes as if it were u, which may so come back."""
        u = self.recurrent_weights[...]
        limited = jnp.clip(u, -self.recurrent_limit, self.recurrent_limit)
        return u + jax.lax.stop_gradient(limited - u)

    def equations(self) -> Equations:
        """That of the class."""
        return _equations


def _equations(
    carry: IndRNNCarry,
    projected: Float[Array, "B H"],
    small: Float[Array, " H"],
    products: Products,
    dropout: DropoutMasks,
) -> tuple[IndRNNCarry, Mapping[str, Array]]:
    refuse_update("IndRNN", dropout)
    h = jax.nn.relu(projected + small * masked(carry.h, dropout, "hidden"))
    return IndRNNCarry(h), {"hidden": h}
