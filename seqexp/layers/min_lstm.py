"""The minimal LSTM: gates that see the input alone, and share what is kept and what is written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Bool, Float

from seqexp.cells.initializers import gate_kernel
from seqexp.cells.protocol import SIGMOID, Activation
from seqexp.cells.sizes import require_number, require_sizes
from seqexp.layers.candidates import (
    Candidate,
    candidate_kind,
    make_candidate,
    require_candidate,
)
from seqexp.layers.stepwise import StepwiseLayer
from seqexp.recurrences import linear
from seqexp.recurrences.products import affine
from seqexp.types import Array, KeyArray


class MinLSTMCarry(NamedTuple):
    """`h` `[B, H]`."""

    h: Float[Array, "B H"]


class MinLSTM(nnx.Module):
    """Minimal long short-term memory (Feng et al. 2024, https://arxiv.org/abs/2410.01201).

        f_t = sigmoid(x_t W_f + b_f)
        i_t = sigmoid(x_t W_i + b_i)
        n_t = g(x_t W_n + b_n)
        h_t = f_t / (f_t + i_t) * h_{t-1} + i_t / (f_t + i_t) * n_t

    The two shares are computed as sigmoid(-d) and sigmoid(d) with d = log i_t - log f_t, which
    stay defined where both gates are 0 (appendix B). The recurrence itself never divides, so it
    needs no logarithms and takes any g. The kernel and the bias hold f, i and n in this order.

    Args:
        in_features: D.
        features: H.
        candidate: g: "positive", g(x) = x + 1/2 from 0 up and sigmoid(x) below (appendix B), or
            "linear", g(x) = x (section 3).
        forget_bias: what b_f starts at; the paper tries larger ones for longer memories.
        rngs: draws the parameters.

    Raises:
        SeqexpError: for sizes below 1 and an unknown candidate.
    """

    causal = True

    def __init__(
        self,
        in_features: int,
        features: int,
        *,
        candidate: Candidate = "positive",
        forget_bias: float = 0.0,
        rngs: nnx.Rngs,
    ):
        require_sizes(in_features, features)
        require_candidate(candidate)
        require_number("forget_bias", forget_bias)
        self.in_features = in_features
        self.out_features = features
        self.candidate: Candidate = candidate
        self.kernel = nnx.Param(
            gate_kernel("glorot", rngs.params(), in_features, features, gates=3)
        )
        self.bias = nnx.Param(jnp.zeros(3 * features).at[:features].set(forget_bias))

    @property
    def recurrent_parameters(self) -> tuple[Any, ...]:
        """None: the state is multiplied by a gate that sees the input alone."""
        return ()

    def initial_carry(self, batch_size: int, max_length: int) -> MinLSTMCarry:
        """Zeros, whatever the length."""
        return MinLSTMCarry(jnp.zeros((batch_size, self.out_features), self.bias.dtype))

    def unroll(
        self,
        xs: Float[Array, "T B D"],
        mask: Bool[Array, "T B"] | None = None,
        carry: MinLSTMCarry | None = None,
        *,
        key: KeyArray | None = None,
    ) -> tuple[Float[Array, "T B H"], MinLSTMCarry]:
        """All steps: `xs` `[T, B, D]` to `hs` `[T, B, H]`, 0 at padding, and the final carry."""
        steps, batch_size, _ = xs.shape
        carry = self.initial_carry(batch_size, steps) if carry is None else carry
        keep, write, candidate = self._shares(affine(xs, self.kernel[...], self.bias[...]))
        hs, h = linear.unroll(keep, write * candidate, carry.h, mask, False)
        return hs, MinLSTMCarry(h)

    def step(
        self, carry: MinLSTMCarry, x: Float[Array, "B D"]
    ) -> tuple[MinLSTMCarry, Float[Array, "B H"]]:
        """One step: `x` `[B, D]` to `h` `[B, H]`."""
        keep, write, candidate = self._shares(x @ self.kernel[...] + self.bias[...])
        h = keep * carry.h + write * candidate
        return MinLSTMCarry(h), h

    def stepwise(self) -> StepwiseLayer:
        """The same parameters, step after step."""
        return StepwiseLayer(self)

    @property
    def activation_kinds(self) -> Mapping[str, Activation]:
        """The shares as "forget", which keeps the previous state, and "input"; n as
        "candidate"."""
        return {
            "forget": SIGMOID._replace(keeps=True),
            "input": SIGMOID,
            "candidate": candidate_kind(self.candidate),
        }

    def activations(self, carry: MinLSTMCarry, x: Float[Array, "B D"]) -> Mapping[str, Array]:
        """The two shares and n, `[B, H]`, as "forget", "input" and "candidate"."""
        shares = self._shares(x @ self.kernel[...] + self.bias[...])
        return dict(zip(("forget", "input", "candidate"), shares, strict=True))

    def _shares(self, pre: Float[Array, "*N G"]) -> tuple[Array, Array, Array]:
        """f / (f + i), i / (f + i) and n."""
        f, i, n = jnp.split(pre, 3, axis=-1)
        d = jax.nn.softplus(-f) - jax.nn.softplus(-i)
        return jax.nn.sigmoid(-d), jax.nn.sigmoid(d), make_candidate(self.candidate, n)
