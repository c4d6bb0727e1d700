"""The real-gated linear recurrent unit, in the recurrent block of Griffin."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Bool, Float

from seqexp.cells.protocol import SIGMOID, Activation
from seqexp.cells.sizes import require_number, require_sizes, require_whole
from seqexp.layers.convolution import CausalConvolution
from seqexp.layers.stepwise import StepwiseLayer
from seqexp.parameters import Undecayed
from seqexp.recurrences import linear
from seqexp.recurrences.bounded_sqrt import bounded_sqrt
from seqexp.recurrences.masking import where_mask
from seqexp.recurrences.products import project
from seqexp.types import Array, KeyArray

C = 8.0
"""c, how strongly the gate speeds up forgetting."""


class RGLRUCarry(NamedTuple):
    """The last inputs of the convolution, `window` `[B, K - 1, W]`, and `h` `[B, W]`."""

    window: Float[Array, "B S W"]
    h: Float[Array, "B W"]


class RGLRU(nnx.Module):
    """RG-LRU in its recurrent block (De et al. 2024, https://arxiv.org/abs/2402.19427).

        v_t = convolution of x_t W_v + b_v with the K - 1 steps before, each unit by itself
        r_t = sigmoid(v_t W_r + b_r)
        i_t = sigmoid(v_t W_i + b_i)
        a_t = sigmoid(Lambda)^(c r_t)                               c = 8
        h_t = a_t * h_{t-1} + sqrt(1 - a_t^2) * (i_t * v_t)
        y_t = (gelu(x_t W_g + b_g) * h_t) W_y + b_y                 gelu in its tanh form

    Lambda starts so that a_t at r_t = 1 is uniform from 0.9 to 0.999, as in the paper (in its code,
    https://github.com/google-deepmind/recurrentgemma, so is sigmoid(Lambda), and memories are
    shorter). W_r and W_i have zeros but in `blocks` squares along their diagonals; the code has one
    a head. The gradient of the square root is at most 1000, as in the code: at a_t = 1 it would be
    infinite. The first step is one like all others: in the code its input isn't scaled.

    Args:
        in_features: D.
        features: P.
        expansion: W is so many times P, rounded up to a multiple of `blocks`.
        convolution: K, how many steps it reads.
        blocks: squares in W_r and W_i; 1 for full matrices.
        rngs: draws the parameters.

    Raises:
        SeqexpError: for sizes below 1, or an expansion that is not above 0.
    """

    causal = True

    def __init__(
        self,
        in_features: int,
        features: int,
        *,
        expansion: float = 4 / 3,
        convolution: int = 4,
        blocks: int = 1,
        rngs: nnx.Rngs,
    ):
        require_sizes(in_features, features)
        require_whole(blocks=blocks, convolution=convolution)
        require_number("expansion", expansion, above=0)
        self.in_features = in_features
        self.out_features = features
        block = math.ceil(math.ceil(expansion * features) / blocks)
        inner = blocks * block
        draw = jax.nn.initializers.lecun_normal()
        self.input_kernel = nnx.Param(draw(rngs.params(), (in_features, 2 * inner)))
        self.input_bias = nnx.Param(jnp.zeros(2 * inner))
        self.convolution = CausalConvolution(
            inner, inner, width=convolution, depthwise=True, rngs=rngs
        )
        in_blocks = jax.nn.initializers.lecun_normal(batch_axis=0)
        self.gate_kernel = nnx.Param(in_blocks(rngs.params(), (blocks, block, 2 * block)))
        self.gate_bias = Undecayed(jnp.zeros((blocks, 2 * block)))
        fastest = jax.random.uniform(rngs.params(), (inner,), minval=0.9, maxval=0.999)
        a = fastest ** (1 / C)
        self.recurrent_lambda = nnx.Param(jnp.log(a) - jnp.log1p(-a))
        self.output_kernel = nnx.Param(draw(rngs.params(), (inner, features)))
        self.output_bias = nnx.Param(jnp.zeros(features))

    @property
    def recurrent_parameters(self) -> tuple[Any, ...]:
        """Lambda."""
        return (self.recurrent_lambda,)

    def initial_carry(self, batch_size: int, max_length: int) -> RGLRUCarry:
        """Zeros, whatever the length."""
        h = jnp.zeros((batch_size, self.convolution.out_features), self.output_bias.dtype)
        return RGLRUCarry(self.convolution.initial_carry(batch_size, max_length), h)

    def unroll(
        self,
        xs: Float[Array, "T B D"],
        mask: Bool[Array, "T B"] | None = None,
        carry: RGLRUCarry | None = None,
        *,
        key: KeyArray | None = None,
    ) -> tuple[Float[Array, "T B P"], RGLRUCarry]:
        """All steps: `xs` `[T, B, D]` to `[T, B, P]`, 0 at padding, and the final carry."""
        steps, batch_size, _ = xs.shape
        carry = self.initial_carry(batch_size, steps) if carry is None else carry
        branch, vs = self._entered(xs)
        vs, window = self.convolution.unroll(vs, mask, carry.window)
        a, gate, _ = self._gates(vs)
        hs, h = linear.unroll(a, gate * vs, carry.h, mask, False)
        ys = project(branch * hs, self.output_kernel[...]) + self.output_bias[...]
        return where_mask(mask, ys, jnp.zeros_like(ys)), RGLRUCarry(window, h)

    def step(
        self, carry: RGLRUCarry, x: Float[Array, "B D"]
    ) -> tuple[RGLRUCarry, Float[Array, "B P"]]:
        """One step: `x` `[B, D]` to `[B, P]`."""
        branch, v = self._entered(x)
        window, v = self.convolution.step(carry.window, v)
        a, gate, _ = self._gates(v)
        h = a * carry.h + gate * v
        y = project(branch * h, self.output_kernel[...]) + self.output_bias[...]
        return RGLRUCarry(window, h), y

    def stepwise(self) -> StepwiseLayer:
        """The same parameters, step after step."""
        return StepwiseLayer(self)

    @property
    def activation_kinds(self) -> Mapping[str, Activation]:
        """a, which keeps the previous state, as "forget", and i as "input"."""
        return {"forget": SIGMOID._replace(keeps=True), "input": SIGMOID}

    def activations(self, carry: RGLRUCarry, x: Float[Array, "B D"]) -> Mapping[str, Array]:
        """a and i, `[B, W]`, as "forget" and "input"."""
        _, v = self.convolution.step(carry.window, self._entered(x)[1])
        a, _, i = self._gates(v)
        return {"forget": a, "input": i}

    def _entered(self, xs: Float[Array, "*N D"]) -> tuple[Array, Array]:
        """The gated branch, and what the convolution reads."""
        g, v = jnp.split(project(xs, self.input_kernel[...]) + self.input_bias[...], 2, axis=-1)
        return jax.nn.gelu(g), v

    def _gates(self, vs: Float[Array, "*N W"]) -> tuple[Array, Array, Array]:
        """a, sqrt(1 - a^2) * i, and i."""
        kernel, bias = self.gate_kernel[...], self.gate_bias[...]
        if len(kernel) == 1:
            pre = project(vs, kernel[0]) + bias[0]
            r, i = jnp.split(jax.nn.sigmoid(pre), 2, axis=-1)
        else:
            parts = vs.reshape(*vs.shape[:-1], *kernel.shape[:2])
            pre = jnp.einsum("...nd,nde->...ne", parts, kernel) + bias
            both = jnp.split(jax.nn.sigmoid(pre), 2, axis=-1)
            r, i = (gate.reshape(vs.shape) for gate in both)
        log_a = -C * jax.nn.softplus(-self.recurrent_lambda[...]) * r
        # 1 - a^2 by expm1, which is exact where a is close to 1.
        return jnp.exp(log_a), bounded_sqrt(-jnp.expm1(2 * log_a)) * i, i
