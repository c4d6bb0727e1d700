"""The sLSTM of xLSTM: exponential gates, and a memory of scalars."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Float

from seqexp.cells.fused import Equations, FusedCell, masked
from seqexp.cells.initializers import Initializer, gate_kernel
from seqexp.cells.protocol import SIGMOID, TANH, Activation, DropoutMasks
from seqexp.cells.sizes import require_sizes, require_whole
from seqexp.recurrences.fused import Products
from seqexp.recurrences.products import project
from seqexp.types import Array, SeqexpError

Forget = Literal["sigmoid", "exponential"]


class SLSTMCarry(NamedTuple):
    """The memory `c`, its normaliser `n`, the output `h` before any projection, and the state `m`
    that scales c and n by exp(-m); all `[B, H]`."""

    c: Float[Array, "B H"]
    n: Float[Array, "B H"]
    h: Float[Array, "B H"]
    m: Float[Array, "B H"]


class SLSTM(FusedCell):
    """sLSTM (Beck et al. 2024, equations 8-18, https://arxiv.org/abs/2405.04517).

        z, i, f, o = x_t W + h_{t-1} R + b        (blocks of W, and of each head's part of R and b)
        m_t = max(log f' + m_{t-1}, i)            f' = sigmoid(f) or exp(f)
        c_t = exp(log f' + m_{t-1} - m_t) * c_{t-1} + exp(i - m_t) * tanh(z)
        n_t = exp(log f' + m_{t-1} - m_t) * n_{t-1} + exp(i - m_t)
        h_t = sigmoid(o) * c_t / n_t

    R is block-diagonal: each head has units of its own, and sees no other. Before the first step
    n is 0, and m_1 is i, so that n_t is at least 1 from then on.

    A head has ceil(features / heads) units. Where that makes more than `features`, h_t is given out
    by a projection to `features`.

    As in the first block of its code, https://github.com/NX-AI/xlstm, R starts at 0, and the bias
    of f within each head falls from 5 to -7 as 5 - 12 (j / (units - 1))^0.3 (the exponent rises to
    1.6 in the last block there); the rest of b starts at 0. It is the cell alone, without the
    convolution, norms and MLP of the published block.

    Args:
        in_features: D.
        features: P.
        heads: of R.
        forget: how f opens, "sigmoid" or "exponential".
        input_init: how W starts, a name that `initializer` knows or a callable.
        rngs: draws the parameters.

    Raises:
        SeqexpError: for sizes and heads below 1 and unknown names; and, on use, for
            `dropout["zone"]`, and for `dropout["hidden"]` where there is a projection.
    """

    fused = False

    def __init__(
        self,
        in_features: int,
        features: int,
        *,
        heads: int = 4,
        forget: Forget = "sigmoid",
        input_init: str | Initializer = "glorot",
        rngs: nnx.Rngs,
    ):
        require_sizes(in_features, features)
        require_whole(heads=heads)
        if forget not in get_args(Forget):
            raise SeqexpError(f"unknown forget {forget!r}: use sigmoid or exponential")
        units = math.ceil(features / heads)
        self.heads = heads
        self.forget: Forget = forget
        self.in_features = in_features
        self.features = heads * units
        self.out_features = features
        self.input_kernel = nnx.Param(
            gate_kernel(input_init, rngs.params(), in_features, self.features, gates=4)
        )
        self.recurrent_kernel = nnx.Param(jnp.zeros((heads, units, 4 * units)))
        places = jnp.arange(units) / max(units - 1, 1)
        forget_bias = jnp.tile(5 - 12 * places**0.3, heads)
        self.bias = nnx.Param(jnp.zeros((4, self.features)).at[2].set(forget_bias).reshape(-1))
        self.projection = (
            None
            if self.features == features
            else nnx.Param(gate_kernel(input_init, rngs.params(), self.features, features, gates=1))
        )

    @property
    def recurrent_parameters(self) -> tuple[nnx.Param, ...]:
        """R."""
        return (self.recurrent_kernel,)

    def initial_carry(self, batch_size: int) -> SLSTMCarry:
        """Zeros."""
        zeros = jnp.zeros((batch_size, self.features), self.bias.dtype)
        return SLSTMCarry(zeros, zeros, zeros, zeros)

    @property
    def activation_kinds(self) -> Mapping[str, Activation]:
        """The scaled gates exp(i - m) as "input" and exp(log f' + m - m) as "forget", the sigmoid
        of o as "output", and the tanh as "candidate"."""
        forget = SIGMOID._replace(keeps=True)
        return {"input": SIGMOID, "forget": forget, "output": SIGMOID, "candidate": TANH}

    def kernels(self) -> tuple[Float[Array, "N S J"], ...]:
        """R."""
        return (self.recurrent_kernel[...],)

    def give(self, hs: Float[Array, "*N H"]) -> Float[Array, "*N P"]:
        """h, or its projection."""
        return hs if self.projection is None else project(hs, self.projection[...])

    def equations(self) -> Equations:
        """Those of the class."""
        return partial(_equations, self.heads, self.forget, self.projection is not None)


def _equations(
    heads: int,
    forget: Forget,
    projects: bool,
    carry: SLSTMCarry,
    projected: Float[Array, "B K"],
    small: tuple[()],
    products: Products,
    dropout: DropoutMasks,
) -> tuple[SLSTMCarry, Mapping[str, Array]]:
    if "zone" in dropout:
        raise SeqexpError(
            "c, n and m of an sLSTM belong together, so none can be kept alone: "
            "use Variational, RecurrentDropout or DropConnect instead of Zoneout"
        )
    if projects and "hidden" in dropout:
        raise SeqexpError(
            f"the {heads} heads of this sLSTM do not divide its features, so its outputs are not "
            "its hidden units: use a multiple of heads, or hidden_rate=0"
        )
    (product,) = products
    c, n, h, m = carry
    recurrent = product(masked(h, dropout, "hidden")).reshape(len(h), heads, 4, -1)
    recurrent = jnp.swapaxes(recurrent, 1, 2).reshape(len(h), -1)
    z, i, f, o = jnp.split(projected + recurrent, 4, axis=-1)
    z = masked(jnp.tanh(z), dropout, "update")
    log_f = f if forget == "exponential" else jax.nn.log_sigmoid(f)
    # With an empty memory nothing is to be scaled, and m must not hold it above i.
    past = jnp.where(n == 0, i, log_f + m)
    m = jnp.maximum(past, i)
    i, f, o = jnp.exp(i - m), jnp.exp(past - m), jax.nn.sigmoid(o)
    c, n = f * c + i * z, f * n + i
    h = o * (c / n)
    shown = {"input": i, "forget": f, "output": o, "candidate": z}
    return SLSTMCarry(c, n, h, m), shown
