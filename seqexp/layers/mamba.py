"""Mamba: a state space whose steps, inputs and outputs depend on what it reads."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Bool, Float

from seqexp.cells.protocol import Activation
from seqexp.cells.sizes import require_number, require_sizes, require_whole
from seqexp.layers.convolution import CausalConvolution
from seqexp.layers.stepwise import StepwiseLayer
from seqexp.parameters import Undecayed
from seqexp.recurrences import selective_scan
from seqexp.recurrences.discretize import log_steps, require_discretization
from seqexp.recurrences.masking import where_mask
from seqexp.recurrences.products import project
from seqexp.types import Array, KeyArray


class MambaCarry(NamedTuple):
    """The last inputs of the convolution, `window` `[B, K - 1, E]`, and `h` `[B, N, E]`."""

    window: Float[Array, "B S E"]
    h: Float[Array, "B N E"]


class Mamba(nnx.Module):
    """Mamba (Gu and Dao 2023, https://arxiv.org/abs/2312.00752).

        u_t, z_t = x_t W_in                                       E units each
        u_t = silu(convolution of u_t with the K - 1 steps before, each unit by itself)
        r_t, B_t, C_t = u_t W_x                                   R, N and N numbers
        dt_t = softplus(r_t W_dt + b_dt)
        h_t = exp(dt_t A) * h_{t-1} + dt_t B_t u_t                A = -exp(a), N by E
        y_t = ((C_t h_t + d * u_t) * silu(z_t)) W_out

    a starts at log(1..N) for each unit, S4D-Real; b_dt so that dt is log-uniform from `dt_min` to
    `dt_max`; d at 1.

    Args:
        in_features: D.
        features: P.
        expansion: E is so many times P, rounded up.
        state: N.
        convolution: K, how many steps it reads.
        rank: R; None for P / 16, rounded up.
        dt_min: the smallest step at the start.
        dt_max: the largest.
        rngs: draws the parameters.

    Raises:
        SeqexpError: for sizes below 1, an expansion that is not above 0, or impossible steps.
    """

    causal = True

    def __init__(
        self,
        in_features: int,
        features: int,
        *,
        expansion: float = 2,
        state: int = 16,
        convolution: int = 4,
        rank: int | None = None,
        dt_min: float = 0.001,
        dt_max: float = 0.1,
        rngs: nnx.Rngs,
    ):
        require_sizes(in_features, features)
        require_discretization("zoh", dt_min, dt_max)
        require_number("expansion", expansion, above=0)
        rank = math.ceil(features / 16) if rank is None else rank
        require_whole(state=state, rank=rank, convolution=convolution)
        self.in_features = in_features
        self.out_features = features
        self.state = state
        self.rank = rank
        inner = math.ceil(expansion * features)
        draw = jax.nn.initializers.lecun_normal()
        self.input_kernel = nnx.Param(draw(rngs.params(), (in_features, 2 * inner)))
        self.convolution = CausalConvolution(
            inner, inner, width=convolution, depthwise=True, rngs=rngs
        )
        self.selection_kernel = nnx.Param(draw(rngs.params(), (inner, rank + 2 * state)))
        bound = rank**-0.5
        self.step_kernel = nnx.Param(
            jax.random.uniform(rngs.params(), (rank, inner), minval=-bound, maxval=bound)
        )
        step = jnp.exp(log_steps(rngs.params(), (inner,), dt_min, dt_max))
        # The inverse of softplus.
        self.step_bias = nnx.Param(step + jnp.log(-jnp.expm1(-step)))
        rates = jnp.log(jnp.arange(1, state + 1, dtype=step.dtype))
        self.recurrent_log = Undecayed(jnp.tile(rates[:, None], (1, inner)))
        self.skip = nnx.Param(jnp.ones(inner))
        self.output_kernel = nnx.Param(draw(rngs.params(), (inner, features)))

    @property
    def recurrent_parameters(self) -> tuple[Any, ...]:
        """a, which makes A."""
        return (self.recurrent_log,)

    def initial_carry(self, batch_size: int, max_length: int) -> MambaCarry:
        """Zeros, whatever the length."""
        h = jnp.zeros((batch_size, *self.recurrent_log.shape), self.skip.dtype)
        return MambaCarry(self.convolution.initial_carry(batch_size, max_length), h)

    def unroll(
        self,
        xs: Float[Array, "T B D"],
        mask: Bool[Array, "T B"] | None = None,
        carry: MambaCarry | None = None,
        *,
        key: KeyArray | None = None,
    ) -> tuple[Float[Array, "T B P"], MambaCarry]:
        """All steps: `xs` `[T, B, D]` to `[T, B, P]`, 0 at padding, and the final carry."""
        steps, batch_size, _ = xs.shape
        carry = self.initial_carry(batch_size, steps) if carry is None else carry
        # A product for each part: of one for both, XLA's CPU code would copy the parts.
        us, zs = (project(xs, kernel) for kernel in jnp.split(self.input_kernel[...], 2, axis=-1))
        us, window = self.convolution.unroll(us, mask, carry.window)
        us = jax.nn.silu(us)
        dt, B, C = self._selection(us)
        ys, h = selective_scan.unroll(us, dt, self._rates(), B, C, carry.h, mask)
        ys = project((ys + self.skip[...] * us) * jax.nn.silu(zs), self.output_kernel[...])
        return where_mask(mask, ys, jnp.zeros_like(ys)), MambaCarry(window, h)

    def step(
        self, carry: MambaCarry, x: Float[Array, "B D"]
    ) -> tuple[MambaCarry, Float[Array, "B P"]]:
        """One step: `x` `[B, D]` to `[B, P]`."""
        u, z = jnp.split(project(x, self.input_kernel[...]), 2, axis=-1)
        window, u = self.convolution.step(carry.window, u)
        u = jax.nn.silu(u)
        dt, B, C = self._selection(u)
        y, h = selective_scan.step(u, dt, self._rates(), B, C, carry.h)
        y = project((y + self.skip[...] * u) * jax.nn.silu(z), self.output_kernel[...])
        return MambaCarry(window, h), y

    def stepwise(self) -> StepwiseLayer:
        """The same parameters, step after step."""
        return StepwiseLayer(self)

    @property
    def activation_kinds(self) -> Mapping[str, Activation]:
        """dt as "update": 0 holds the state, and the larger it is the more is forgotten."""
        return {"update": Activation(0.0, math.inf)}

    def activations(self, carry: MambaCarry, x: Float[Array, "B D"]) -> Mapping[str, Array]:
        """dt, `[B, E]`, as "update"."""
        u, _ = jnp.split(project(x, self.input_kernel[...]), 2, axis=-1)
        _, u = self.convolution.step(carry.window, u)
        return {"update": self._selection(jax.nn.silu(u))[0]}

    def _rates(self) -> Float[Array, "N E"]:
        """A."""
        return -jnp.exp(self.recurrent_log[...])

    def _selection(self, us: Float[Array, "*N E"]) -> tuple[Array, Array, Array]:
        """dt, B and C."""
        ends = self.rank, self.rank + self.state
        r, B, C = jnp.split(project(us, self.selection_kernel[...]), ends, axis=-1)
        dt = jax.nn.softplus(project(r, self.step_kernel[...]) + self.step_bias[...])
        return dt, B, C
