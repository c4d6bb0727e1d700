"""The orthogonal network, parametrised by the matrix exponential."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Float

from seqexp.cells.fused import Equations, FusedCell, masked, refuse_update
from seqexp.cells.protocol import Activation, DropoutMasks
from seqexp.cells.sizes import require_sizes
from seqexp.recurrences.expm import expm
from seqexp.recurrences.fused import Products
from seqexp.recurrences.products import project
from seqexp.recurrences.skew import skew_size, skew_symmetric
from seqexp.types import Array, KeyArray, SeqexpError

Start = Literal["henaff", "cayley"]


class ExpRNNCarry(NamedTuple):
    """`h` `[B, H]`."""

    h: Float[Array, "B H"]


class ExpRNN(FusedCell):
    """Orthogonal RNN by the matrix exponential (Lezcano-Casado and Martinez-Rubio 2019,
    https://arxiv.org/abs/1901.08428).

        h_t = modrelu(x_t T + h_{t-1} exp(A - A^T))
        modrelu(u) = sign(u) * relu(|u| + b)                    (Arjovsky et al. 2016, equation 8)

    A has numbers above its diagonal alone. It starts with blocks [[0, s], [-s, 0]] on the diagonal,
    so that exp turns pairs of units by the angles s: uniform in [-pi, pi] as of Henaff et al. 2016
    (https://arxiv.org/abs/1602.06662), or -sqrt((1 - cos u) / (1 + cos u)) with u uniform in
    [0, pi / 2] as of Helfrich et al. 2018 (https://arxiv.org/abs/1707.09520). T starts as He et al.
    2015 (N(0, 2 / D)) and b uniform in +-0.01, as in its code, https://github.com/Lezcano/expRNN.

    Args:
        in_features: D.
        features: H.
        recurrent_init: s at first, "henaff" or "cayley".
        rngs: draws the parameters.

    Raises:
        SeqexpError: for sizes below 1 and an unknown start; and, on use, for `dropout["update"]`.
    """

    def __init__(
        self,
        in_features: int,
        features: int,
        *,
        recurrent_init: Start = "cayley",
        rngs: nnx.Rngs,
    ):
        require_sizes(in_features, features)
        if recurrent_init not in get_args(Start):
            raise SeqexpError(f"unknown recurrent_init {recurrent_init!r}: use henaff or cayley")
        self.in_features = in_features
        self.features = features
        self.out_features = features
        self.input_kernel = nnx.Param(
            jax.random.normal(rngs.params(), (in_features, features)) * math.sqrt(2 / in_features)
        )
        self.recurrent_skew = nnx.Param(_start(recurrent_init, rngs.params(), features))
        self.bias = nnx.Param(
            jax.random.uniform(rngs.params(), (features,), minval=-0.01, maxval=0.01)
        )
        self.ready: nnx.Variable | None = nnx.data(None)

    @property
    def recurrent_parameters(self) -> tuple[nnx.Param, ...]:
        """A."""
        return (self.recurrent_skew,)

    def initial_carry(self, batch_size: int) -> ExpRNNCarry:
        """Zeros."""
        return ExpRNNCarry(jnp.zeros((batch_size, self.features), self.bias.dtype))

    @property
    def activation_kinds(self) -> Mapping[str, Activation]:
        """h as "hidden"."""
        return {"hidden": Activation(-math.inf, math.inf)}

    def kernels(self) -> tuple[Float[Array, "H H"], ...]:
        """exp(A - A^T), which is orthogonal."""
        if self.ready is not None:
            return (self.ready[...],)
        return (expm(skew_symmetric(self.recurrent_skew[...], self.features)),)

    def small(self) -> Float[Array, " H"]:
        """b."""
        return self.bias[...]

    def project(self, xs: Float[Array, "*N D"]) -> Float[Array, "*N H"]:
        """x T."""
        return project(xs, self.input_kernel[...])

    def prepared(self) -> ExpRNN:
        """With exp(A - A^T) computed."""
        cell = jax.tree.map(lambda leaf: leaf, self)
        cell.ready = nnx.Variable(self.kernels()[0])
        return cell

    def equations(self) -> Equations:
        """Those of the class."""
        return _equations


def _start(name: Start, key: KeyArray, features: int) -> Float[Array, " K"]:
    """A's numbers above its diagonal: s at (0, 1), (2, 3), ... and 0 elsewhere."""
    pairs = features // 2
    if name == "henaff":
        s = jax.random.uniform(key, (pairs,), minval=-math.pi, maxval=math.pi)
    else:
        u = jax.random.uniform(key, (pairs,), maxval=math.pi / 2)
        s = -jnp.sqrt((1 - jnp.cos(u)) / (1 + jnp.cos(u)))
    rows, columns = np.triu_indices(features, 1)
    return jnp.zeros(skew_size(features)).at[(columns == rows + 1) & (rows % 2 == 0)].set(s)


def _equations(
    carry: ExpRNNCarry,
    projected: Float[Array, "B H"],
    small: Float[Array, " H"],
    products: Products,
    dropout: DropoutMasks,
) -> tuple[ExpRNNCarry, Mapping[str, Array]]:
    refuse_update("ExpRNN", dropout)
    (product,) = products
    u = projected + product(masked(carry.h, dropout, "hidden"))
    h = jnp.sign(u) * jax.nn.relu(jnp.abs(u) + small)
    return ExpRNNCarry(h), {"hidden": h}
