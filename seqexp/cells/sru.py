"""The simple recurrent unit: no matrix multiplies the state."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Float

from seqexp.cells.fused import Equations, FusedCell, masked, refuse_hidden
from seqexp.cells.protocol import SIGMOID, Activation, DropoutMasks
from seqexp.cells.sizes import require_number, require_sizes
from seqexp.parameters import Undecayed
from seqexp.recurrences.fused import Products
from seqexp.recurrences.products import affine
from seqexp.types import Array


class SRUCarry(NamedTuple):
    """The memory `c` and the output `h`, both `[B, H]`."""

    c: Float[Array, "B H"]
    h: Float[Array, "B H"]


class SRU(FusedCell):
    """Simple recurrent unit (Lei et al. 2018, equations 1-4, https://arxiv.org/abs/1709.02755).

        f_t = sigmoid(x_t W_f + v_f * c_{t-1} + b_f)
        r_t = sigmoid(x_t W_r + v_r * c_{t-1} + b_r)
        c_t = f_t * c_{t-1} + (1 - f_t) * (x_t W)
        h_t = r_t * c_t + (1 - r_t) * a x_t                       a = sqrt(1 + 2 exp(b))

    where b is what b_r starts at, and a keeps the variance of a deep stack (their section 3.2). An
    input of another width than H enters the last line by one more kernel, x_t W_x. The input
    kernel holds f, r, the candidate and x in this order, and the bias f and r.

    Kernels start uniform: W and W_x in +-sqrt(3 / D) as in the paper, and, as in its code
    (https://github.com/asappresearch/sru), W_f and W_r in sqrt(1/2) of it, v in +-sqrt(3 / 2).

    Args:
        in_features: D.
        features: H.
        highway_bias: b; below 0 more of the input passes through at first.
        rngs: draws the parameters.

    Raises:
        SeqexpError: for sizes below 1; and, on use, for `dropout["hidden"]`.
    """

    def __init__(
        self, in_features: int, features: int, *, highway_bias: float = 0.0, rngs: nnx.Rngs
    ):
        require_sizes(in_features, features)
        require_number("highway_bias", highway_bias, at_least=-100, at_most=100)
        self.in_features = in_features
        self.features = features
        self.out_features = features
        self.scale = math.sqrt(1 + 2 * math.exp(highway_bias))
        kernels = 3 if in_features == features else 4
        kernel = _uniform(rngs, (in_features, kernels * features), math.sqrt(3 / in_features))
        self.input_kernel = nnx.Param(kernel.at[:, : 2 * features].multiply(math.sqrt(0.5)))
        self.recurrent_weights = Undecayed(_uniform(rngs, (2, features), math.sqrt(3 / 2)))
        self.bias = nnx.Param(jnp.zeros(2 * features).at[features:].set(highway_bias))

    @property
    def recurrent_parameters(self) -> tuple[nnx.Param, ...]:
        """v_f and v_r."""
        return (self.recurrent_weights,)

    def initial_carry(self, batch_size: int) -> SRUCarry:
        """Zeros."""
        zeros = jnp.zeros((batch_size, self.features), self.bias.dtype)
        return SRUCarry(zeros, zeros)

    @property
    def activation_kinds(self) -> Mapping[str, Activation]:
        """f as "forget" and r as "reset"."""
        return {"forget": SIGMOID._replace(keeps=True), "reset": SIGMOID}

    def small(self) -> Float[Array, "2 H"]:
        """v_f and v_r."""
        return self.recurrent_weights[...]

    def project(self, xs: Float[Array, "*N D"]) -> Float[Array, "*N J"]:
        """x W with the bias of the gates, and behind it the input that passes through."""
        kernel = self.input_kernel[...]
        bias = jnp.pad(self.bias[...], (0, kernel.shape[1] - 2 * self.features))
        ys = xs @ kernel + bias if xs.ndim == 2 else affine(xs, kernel, bias)
        if self.in_features == self.features:
            return jnp.concatenate([ys, self.scale * xs], axis=-1)
        gates, through = ys[..., : 3 * self.features], ys[..., 3 * self.features :]
        return jnp.concatenate([gates, self.scale * through], axis=-1)

    def equations(self) -> Equations:
        """Those of the class."""
        return _equations


def _uniform(rngs: nnx.Rngs, shape: tuple[int, int], bound: float) -> Float[Array, "I J"]:
    return jax.random.uniform(rngs.params(), shape, minval=-bound, maxval=bound)


def _equations(
    carry: SRUCarry,
    projected: Float[Array, "B K"],
    small: Float[Array, "2 H"],
    products: Products,
    dropout: DropoutMasks,
) -> tuple[SRUCarry, Mapping[str, Array]]:
    refuse_hidden("SRU", dropout)
    forget, reset, candidate, x = jnp.split(projected, 4, axis=-1)
    f = jax.nn.sigmoid(forget + small[0] * carry.c)
    r = jax.nn.sigmoid(reset + small[1] * carry.c)
    c = f * carry.c + (1 - f) * masked(candidate, dropout, "update")
    h = r * c + (1 - r) * x
    return SRUCarry(c, h), {"forget": f, "reset": r}
