"""S4D, the diagonal state space of each feature."""

from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Bool, Float

from seqexp.cells.sizes import require_sizes
from seqexp.layers.entrance import Entrance
from seqexp.layers.glu import GLU, Glu
from seqexp.layers.stepwise import StepwiseLayer
from seqexp.parameters import Undecayed
from seqexp.recurrences import diagonal_filter
from seqexp.recurrences.complex_pairs import Pair, times
from seqexp.recurrences.discretize import (
    Discretization,
    discretize,
    log_steps,
    require_discretization,
)
from seqexp.recurrences.masking import where_mask
from seqexp.types import Array, KeyArray, SeqexpError

Init = Literal["lin", "inv"]


class S4DCarry(NamedTuple):
    """The complex state x, half of each conjugate pair: `real` and `imaginary`,
    `[B, H, N / 2]`."""

    real: Float[Array, "B H N"]
    imaginary: Float[Array, "B H N"]


class S4D(nnx.Module):
    """S4D (Gu et al. 2022, https://arxiv.org/abs/2206.11893), in its recurrent form.

        d/dt x = lambda * x + u           N states for each feature of u, in conjugate pairs
        y_t = 2 Re(sum_n C_n x_n) + d * u_t
        lambda = -exp(a) + i w

    discretised with a step dt of each feature's own, and a gated linear unit of y_t. u_t is the
    input, or its image under a matrix where D and H differ. B is 1: C learns their product. The
    states are computed at every 64th step alone, and the outputs between them by convolutions.

    Args:
        in_features: D.
        features: H.
        state: N, an even number.
        init: lambda_n at the start: "lin", -1/2 + i pi n, or "inv",
            -1/2 + i N / pi (N / (2n + 1) - 1).
        discretization: "zoh" or "bilinear".
        dt_min: the smallest step at the start.
        dt_max: the largest.
        glu: behind it: "none", "half" or "full".
        rngs: draws the parameters.

    Raises:
        SeqexpError: for sizes below 1, an odd state, impossible steps, and an unknown init,
            discretization or glu.
    """

    causal = True

    def __init__(
        self,
        in_features: int,
        features: int,
        *,
        state: int = 64,
        init: Init = "lin",
        discretization: Discretization = "zoh",
        dt_min: float = 0.001,
        dt_max: float = 0.1,
        glu: Glu = "full",
        rngs: nnx.Rngs,
    ):
        require_sizes(in_features, features)
        require_discretization(discretization, dt_min, dt_max)
        if init not in get_args(Init):
            raise SeqexpError(f"unknown init {init!r}: use lin or inv")
        if type(state) is not int or state < 2 or state % 2:
            raise SeqexpError(f"state must be an even number of at least 2, not {state!r}")
        self.in_features = in_features
        self.out_features = features
        self.discretization: Discretization = discretization
        self.enter = Entrance(in_features, features, rngs=rngs)
        half = state // 2
        n = jnp.arange(half)
        imaginary = math.pi * n if init == "lin" else state / math.pi * (state / (2 * n + 1) - 1)
        ones = jnp.ones((features, half))
        self.recurrent_log_real = Undecayed(math.log(0.5) * ones)
        self.recurrent_imaginary = Undecayed(imaginary * ones)
        self.log_step = nnx.Param(log_steps(rngs.params(), (features,), dt_min, dt_max))
        # Complex numbers of variance 1.
        self.output_kernel = nnx.Param(
            jax.random.normal(rngs.params(), (2, features, half)) * math.sqrt(0.5)
        )
        self.skip = nnx.Param(jax.random.normal(rngs.params(), (features,)))
        self.glu = GLU(features, kind=glu, rngs=rngs)

    @property
    def recurrent_parameters(self) -> tuple[Any, ...]:
        """a and w, which make the eigenvalues."""
        return self.recurrent_log_real, self.recurrent_imaginary

    def initial_carry(self, batch_size: int, max_length: int) -> S4DCarry:
        """Zeros, whatever the length."""
        shape = batch_size, *self.recurrent_imaginary.shape
        zeros = jnp.zeros(shape, self.log_step.dtype)
        return S4DCarry(zeros, zeros)

    def unroll(
        self,
        xs: Float[Array, "T B D"],
        mask: Bool[Array, "T B"] | None = None,
        carry: S4DCarry | None = None,
        *,
        key: KeyArray | None = None,
    ) -> tuple[Float[Array, "T B H"], S4DCarry]:
        """All steps: `xs` `[T, B, D]` to `[T, B, H]`, 0 at padding, and the final carry."""
        steps, batch_size, _ = xs.shape
        carry = self.initial_carry(batch_size, steps) if carry is None else carry
        us = self.enter(xs)
        a, c = self._system()
        ys, (re, im) = diagonal_filter.unroll(us, a, c, (carry.real, carry.imaginary), mask)
        ys = self.glu(ys + self.skip[...] * us)
        return where_mask(mask, ys, jnp.zeros_like(ys)), S4DCarry(re, im)

    def step(self, carry: S4DCarry, x: Float[Array, "B D"]) -> tuple[S4DCarry, Float[Array, "B H"]]:
        """One step: `x` `[B, D]` to `[B, H]`."""
        u = self.enter(x)
        a, c = self._system()
        turned = times(a, (carry.real, carry.imaginary))
        state = S4DCarry(turned[0] + u[:, :, None], turned[1])
        y = jnp.sum(c[0] * state.real - c[1] * state.imaginary, axis=2)
        return state, self.glu(y + self.skip[...] * u)

    def stepwise(self) -> StepwiseLayer:
        """The same parameters, step after step."""
        return StepwiseLayer(self)

    def _system(self) -> tuple[Pair, Pair]:
        """a, and 2 C b: with both at the output the input enters the state as it is."""
        eigenvalues = -jnp.exp(self.recurrent_log_real[...]), self.recurrent_imaginary[...]
        a, b = discretize(self.discretization, eigenvalues, jnp.exp(self.log_step[...])[:, None])
        c = times((2 * self.output_kernel[0], 2 * self.output_kernel[1]), b)
        return a, c
