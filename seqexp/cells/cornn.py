"""The coupled oscillatory network."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Float

from seqexp.cells.fused import Equations, FusedCell, masked
from seqexp.cells.protocol import TANH, Activation, DropoutMasks
from seqexp.cells.sizes import require_number, require_sizes
from seqexp.recurrences.fused import Products
from seqexp.types import Array


class CoRNNCarry(NamedTuple):
    """The positions `y`, which are given out, and the velocities `z`, both `[B, H]`."""

    y: Float[Array, "B H"]
    z: Float[Array, "B H"]


class CoRNN(FusedCell):
    """Coupled oscillatory RNN (Rusch and Mishra 2021, equation 3 with the damping taken at n - 1,
    https://arxiv.org/abs/2010.00951).

        z_n = z_{n-1} + dt * (tanh(y_{n-1} U_y + z_{n-1} U_z + x_n V + b)
                              - gamma * y_{n-1} - eps * z_{n-1})
        y_n = y_{n-1} + dt * z_n

    The recurrent kernel holds U_y above U_z. All parameters start uniform in
    +-1 / sqrt(D + 2 H), as in its code, https://github.com/tk-rusch/coRNN.

    Args:
        in_features: D.
        features: H.
        time_step: dt.
        frequency: gamma, the square of the oscillators' own frequency.
        damping: eps.
        rngs: draws the parameters.

    Raises:
        SeqexpError: for sizes below 1 and numbers out of their range.
    """

    given = "y"

    def __init__(
        self,
        in_features: int,
        features: int,
        *,
        time_step: float = 0.042,
        frequency: float = 2.7,
        damping: float = 4.7,
        rngs: nnx.Rngs,
    ):
        require_sizes(in_features, features)
        require_number("time_step", time_step, above=0)
        require_number("frequency", frequency, at_least=0)
        require_number("damping", damping, at_least=0)
        self.in_features = in_features
        self.features = features
        self.out_features = features
        self.time_step = time_step
        self.frequency = frequency
        self.damping = damping
        bound = 1 / math.sqrt(in_features + 2 * features)

        def uniform(*shape: int) -> nnx.Param:
            return nnx.Param(jax.random.uniform(rngs.params(), shape, minval=-bound, maxval=bound))

        self.input_kernel = uniform(in_features, features)
        self.recurrent_kernel = uniform(2 * features, features)
        self.bias = uniform(features)

    @property
    def recurrent_parameters(self) -> tuple[nnx.Param, ...]:
        """U_y and U_z."""
        return (self.recurrent_kernel,)

    def initial_carry(self, batch_size: int) -> CoRNNCarry:
        """Zeros."""
        zeros = jnp.zeros((batch_size, self.features), self.bias.dtype)
        return CoRNNCarry(zeros, zeros)

    @property
    def activation_kinds(self) -> Mapping[str, Activation]:
        """The tanh, which drives the oscillators, as "candidate"."""
        return {"candidate": TANH}

    def kernels(self) -> tuple[Float[Array, "J H"], ...]:
        """U."""
        return (self.recurrent_kernel[...],)

    def equations(self) -> Equations:
        """Those of the class."""
        return partial(_equations, self.time_step, self.frequency, self.damping)


def _equations(
    dt: float,
    gamma: float,
    eps: float,
    carry: CoRNNCarry,
    projected: Float[Array, "B H"],
    small: tuple[()],
    products: Products,
    dropout: DropoutMasks,
) -> tuple[CoRNNCarry, Mapping[str, Array]]:
    (product,) = products
    y, z = carry
    seen = jnp.concatenate([masked(y, dropout, "hidden"), z], axis=-1)
    force = masked(jnp.tanh(projected + product(seen)), dropout, "update")
    z = z + dt * (force - gamma * y - eps * z)
    return CoRNNCarry(y + dt * z, z), {"candidate": force}
