"""Long expressive memory: two states with time steps that are learnt."""

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


class LEMCarry(NamedTuple):
    """`y`, which is given out, and `z`, both `[B, H]`."""

    y: Float[Array, "B H"]
    z: Float[Array, "B H"]


class LEM(FusedCell):
    """Long expressive memory (Rusch et al. 2022, equation 3, https://arxiv.org/abs/2110.04744).

        d_n = dt * sigmoid(y_{n-1} U_1 + x_n V_1 + b_1)
        e_n = dt * sigmoid(y_{n-1} U_2 + x_n V_2 + b_2)
        z_n = (1 - d_n) * z_{n-1} + d_n * tanh(y_{n-1} U_z + x_n V_z + b_z)
        y_n = (1 - e_n) * y_{n-1} + e_n * tanh(z_n U_y + x_n V_y + b_y)

    The kernels and the bias hold these four in this order. All parameters start uniform in
    +-1 / sqrt(H), as in its code, https://github.com/tk-rusch/LEM.

    Args:
        in_features: D.
        features: H.
        time_step: dt, the longest time step, above 0 and at most 1.
        rngs: draws the parameters.

    Raises:
        SeqexpError: for sizes below 1 and another time step.
    """

    given = "y"
    fused = False

    def __init__(self, in_features: int, features: int, *, time_step: float = 1.0, rngs: nnx.Rngs):
        require_sizes(in_features, features)
        require_number("time_step", time_step, above=0, at_most=1)
        self.in_features = in_features
        self.features = features
        self.out_features = features
        self.time_step = time_step
        bound = 1 / math.sqrt(features)

        def uniform(*shape: int) -> nnx.Param:
            return nnx.Param(jax.random.uniform(rngs.params(), shape, minval=-bound, maxval=bound))

        self.input_kernel = uniform(in_features, 4 * features)
        self.recurrent_kernel = uniform(features, 4 * features)
        self.bias = uniform(4 * features)

    @property
    def recurrent_parameters(self) -> tuple[nnx.Param, ...]:
        """U."""
        return (self.recurrent_kernel,)

    def initial_carry(self, batch_size: int) -> LEMCarry:
        """Zeros."""
        zeros = jnp.zeros((batch_size, self.features), self.bias.dtype)
        return LEMCarry(zeros, zeros)

    @property
    def activation_kinds(self) -> Mapping[str, Activation]:
        """1 - d and 1 - e, which keep the previous z and y, as "forget" and "update", and the tanh
        of z as "candidate"."""
        keeps = Activation(1 - self.time_step, 1.0, keeps=True)
        return {"forget": keeps, "update": keeps._replace(keeps=False), "candidate": TANH}

    def kernels(self) -> tuple[Float[Array, "H J"], Float[Array, "H H"]]:
        """U_1, U_2 and U_z together, and U_y."""
        kernel = self.recurrent_kernel[...]
        return kernel[:, : 3 * self.features], kernel[:, 3 * self.features :]

    def equations(self) -> Equations:
        """Those of the class."""
        return partial(_equations, self.time_step)


def _equations(
    dt: float,
    carry: LEMCarry,
    projected: Float[Array, "B K"],
    small: tuple[()],
    products: Products,
    dropout: DropoutMasks,
) -> tuple[LEMCarry, Mapping[str, Array]]:
    of_y, of_z = products
    y, z = carry
    width = projected.shape[-1] // 4 * 3
    pre = projected[..., :width] + of_y(masked(y, dropout, "hidden"))
    gates, candidate = pre[..., : width // 3 * 2], pre[..., width // 3 * 2 :]
    d, e = jnp.split(dt * jax.nn.sigmoid(gates), 2, axis=-1)
    candidate = masked(jnp.tanh(candidate), dropout, "update")
    keep_z, keep_y = 1 - d, 1 - e
    z = keep_z * z + d * candidate
    written = masked(jnp.tanh(projected[..., width:] + of_z(z)), dropout, "update")
    y = keep_y * y + e * written
    return LEMCarry(y, z), {"forget": keep_z, "update": keep_y, "candidate": candidate}
