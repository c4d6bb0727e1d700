"""The antisymmetric network: a step of a stable differential equation."""

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
from seqexp.cells.protocol import SIGMOID, TANH, Activation, DropoutMasks
from seqexp.cells.sizes import require_flag, require_number, require_sizes
from seqexp.recurrences.fused import Products
from seqexp.recurrences.skew import skew_size, skew_symmetric
from seqexp.types import Array


class AntisymmetricCarry(NamedTuple):
    """`h` `[B, H]`."""

    h: Float[Array, "B H"]


class AntisymmetricRNN(FusedCell):
    """AntisymmetricRNN (Chang et al. 2019, equations 10-12, https://arxiv.org/abs/1902.09689).

        M = W - W^T - gamma I
        z_t = sigmoid(h_{t-1} M + x_t V_z + b_z)               1 if not gated
        h_t = h_{t-1} + eps * z_t * tanh(h_{t-1} M + x_t V_h + b_h)

    W has numbers above its diagonal alone. The input kernel and the bias hold the candidate and, if
    gated, z in this order. As in the paper V starts as N(0, 1 / D), W as N(0, scale^2 / H) and b
    at 0.

    Args:
        in_features: D.
        features: H.
        gated: with z.
        step_size: eps.
        diffusion: gamma, at least 0, against the growth of what explicit steps of eps get wrong.
        recurrent_scale: scale, of W's start.
        rngs: draws the parameters.

    Raises:
        SeqexpError: for sizes below 1 and numbers out of their range.
    """

    def __init__(
        self,
        in_features: int,
        features: int,
        *,
        gated: bool = False,
        step_size: float = 0.1,
        diffusion: float = 0.01,
        recurrent_scale: float = 1.0,
        rngs: nnx.Rngs,
    ):
        require_sizes(in_features, features)
        require_flag(gated=gated)
        require_number("step_size", step_size, above=0)
        require_number("recurrent_scale", recurrent_scale, above=0)
        require_number("diffusion", diffusion, at_least=0)
        self.in_features = in_features
        self.features = features
        self.out_features = features
        self.gated = gated
        self.step_size = step_size
        self.diffusion = diffusion
        blocks = 2 if gated else 1
        self.input_kernel = nnx.Param(
            jax.random.normal(rngs.params(), (in_features, blocks * features))
            / math.sqrt(in_features)
        )
        self.recurrent_skew = nnx.Param(
            jax.random.normal(rngs.params(), (skew_size(features),))
            * (recurrent_scale / math.sqrt(features))
        )
        self.bias = nnx.Param(jnp.zeros(blocks * features))
        self.ready: nnx.Variable | None = nnx.data(None)

    @property
    def recurrent_parameters(self) -> tuple[nnx.Param, ...]:
        """W."""
        return (self.recurrent_skew,)

    def initial_carry(self, batch_size: int) -> AntisymmetricCarry:
        """Zeros."""
        return AntisymmetricCarry(jnp.zeros((batch_size, self.features), self.bias.dtype))

    @property
    def activation_kinds(self) -> Mapping[str, Activation]:
        """The tanh as "candidate" and, if gated, z as "update"."""
        return {"candidate": TANH, **({"update": SIGMOID} if self.gated else {})}

    def kernels(self) -> tuple[Float[Array, "H H"], ...]:
        """M."""
        if self.ready is not None:
            return (self.ready[...],)
        skew = skew_symmetric(self.recurrent_skew[...], self.features)
        return (skew - self.diffusion * jnp.eye(self.features, dtype=skew.dtype),)

    def prepared(self) -> AntisymmetricRNN:
        """With M computed."""
        cell = jax.tree.map(lambda leaf: leaf, self)
        cell.ready = nnx.Variable(self.kernels()[0])
        return cell

    def equations(self) -> Equations:
        """Those of the class."""
        return partial(_equations, self.gated, self.step_size)


def _equations(
    gated: bool,
    step_size: float,
    carry: AntisymmetricCarry,
    projected: Float[Array, "B K"],
    small: tuple[()],
    products: Products,
    dropout: DropoutMasks,
) -> tuple[AntisymmetricCarry, Mapping[str, Array]]:
    (product,) = products
    recurrent = product(masked(carry.h, dropout, "hidden"))
    x, *x_gate = jnp.split(projected, 2 if gated else 1, axis=-1)
    shown = {"candidate": masked(jnp.tanh(recurrent + x), dropout, "update")}
    update = shown["candidate"]
    if gated:
        shown["update"] = jax.nn.sigmoid(recurrent + x_gate[0])
        update = shown["update"] * update
    return AntisymmetricCarry(carry.h + step_size * update), shown
