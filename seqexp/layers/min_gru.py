"""The minimal gated recurrent unit: a GRU whose gates see the input alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Bool, Float

from seqexp.cells.initializers import gate_kernel
from seqexp.cells.protocol import SIGMOID, Activation
from seqexp.cells.sizes import require_sizes
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


class MinGRUCarry(NamedTuple):
    """`h` `[B, H]`."""

    h: Float[Array, "B H"]


class MinGRU(nnx.Module):
    """Minimal gated recurrent unit (Feng et al. 2024, https://arxiv.org/abs/2410.01201).

        z_t = sigmoid(x_t W_z + b_z)
        n_t = g(x_t W_n + b_n)
        h_t = (1 - z_t) * h_{t-1} + z_t * n_t

    The paper computes it from logarithms, for which g keeps n_t above 0. This diagonal recurrence
    never divides, so it needs none and takes any g. The kernel and the bias hold z and n in this
    order.

    Args:
        in_features: D.
        features: H.
        candidate: g: "positive", g(x) = x + 1/2 from 0 up and sigmoid(x) below (appendix B), or
            "linear", g(x) = x (section 3).
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
        rngs: nnx.Rngs,
    ):
        require_sizes(in_features, features)
        require_candidate(candidate)
        self.in_features = in_features
        self.out_features = features
        self.candidate: Candidate = candidate
        self.kernel = nnx.Param(
            gate_kernel("glorot", rngs.params(), in_features, features, gates=2)
        )
        self.bias = nnx.Param(jnp.zeros(2 * features))

    @property
    def recurrent_parameters(self) -> tuple[Any, ...]:
        """None: the state is multiplied by a gate that sees the input alone."""
        return ()

    def initial_carry(self, batch_size: int, max_length: int) -> MinGRUCarry:
        """Zeros, whatever the length."""
        return MinGRUCarry(jnp.zeros((batch_size, self.out_features), self.bias.dtype))

    def unroll(
        self,
        xs: Float[Array, "T B D"],
        mask: Bool[Array, "T B"] | None = None,
        carry: MinGRUCarry | None = None,
        *,
        key: KeyArray | None = None,
    ) -> tuple[Float[Array, "T B H"], MinGRUCarry]:
        """All steps: `xs` `[T, B, D]` to `hs` `[T, B, H]`, 0 at padding, and the final carry."""
        steps, batch_size, _ = xs.shape
        carry = self.initial_carry(batch_size, steps) if carry is None else carry
        keep, write, candidate = self._gates(affine(xs, self.kernel[...], self.bias[...]))
        hs, h = linear.unroll(keep, write * candidate, carry.h, mask, False)
        return hs, MinGRUCarry(h)

    def step(
        self, carry: MinGRUCarry, x: Float[Array, "B D"]
    ) -> tuple[MinGRUCarry, Float[Array, "B H"]]:
        """One step: `x` `[B, D]` to `h` `[B, H]`."""
        keep, write, candidate = self._gates(x @ self.kernel[...] + self.bias[...])
        h = keep * carry.h + write * candidate
        return MinGRUCarry(h), h

    def stepwise(self) -> StepwiseLayer:
        """The same parameters, step after step."""
        return StepwiseLayer(self)

    @property
    def activation_kinds(self) -> Mapping[str, Activation]:
        """1 - z, which keeps the previous state, as "forget", z as "input", n as "candidate"."""
        return {
            "forget": SIGMOID._replace(keeps=True),
            "input": SIGMOID,
            "candidate": candidate_kind(self.candidate),
        }

    def activations(self, carry: MinGRUCarry, x: Float[Array, "B D"]) -> Mapping[str, Array]:
        """1 - z, z and n, `[B, H]`, as "forget", "input" and "candidate"."""
        gates = self._gates(x @ self.kernel[...] + self.bias[...])
        return dict(zip(("forget", "input", "candidate"), gates, strict=True))

    def _gates(self, pre: Float[Array, "*N G"]) -> tuple[Array, Array, Array]:
        """1 - z, z and n."""
        z, n = jnp.split(pre, 2, axis=-1)
        # sigmoid(-z) and not 1 - sigmoid(z): a gate near 1 keeps its distance from it.
        return jax.nn.sigmoid(-z), jax.nn.sigmoid(z), make_candidate(self.candidate, n)
