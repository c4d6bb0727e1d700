"""What minGRU and minLSTM share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Bool, Float

from seqexp.cells.initializers import gate_kernel
from seqexp.cells.protocol import SIGMOID, Activation
from seqexp.cells.sizes import require_sizes
from seqexp.layers.candidates import Candidate, candidate_kind, require_candidate
from seqexp.layers.stepwise import StepwiseLayer
from seqexp.recurrences import linear
from seqexp.recurrences.products import affine
from seqexp.types import Array, KeyArray


class MinimalCarry(NamedTuple):
    """`h` `[B, H]`."""

    h: Float[Array, "B H"]


class MinimalUnit(nnx.Module):
    """A layer whose gates see the input alone.

        h_t = keep_t * h_{t-1} + write_t * n_t

    A subclass says what the `coefficients` are. The paper (Feng et al. 2024,
    https://arxiv.org/abs/2410.01201) computes it from logarithms, for which n_t has to be above 0.
    This diagonal recurrence never divides, so it needs none and takes any candidate.

    Args:
        in_features: D.
        features: H.
        candidate: how n_t is made.
        columns: H so many times is the width of the kernel and the bias.
        rngs: draws the parameters.

    Raises:
        SeqexpError: for sizes below 1 and an unknown candidate.
    """

    causal = True

    def __init__(
        self, in_features: int, features: int, *, candidate: Candidate, columns: int, rngs: nnx.Rngs
    ):
        require_sizes(in_features, features)
        require_candidate(candidate)
        self.in_features = in_features
        self.out_features = features
        self.candidate: Candidate = candidate
        self.kernel = nnx.Param(
            gate_kernel("glorot", rngs.params(), in_features, features, columns)
        )
        self.bias = nnx.Param(jnp.zeros(columns * features))

    @abstractmethod
    def coefficients(self, pre: Float[Array, "*N G"]) -> tuple[Array, Array, Array]:
        """keep, write and n of what the kernel and the bias give."""

    @property
    def recurrent_parameters(self) -> tuple[Any, ...]:
        """None: the state is multiplied by a gate that sees the input alone."""
        return ()

    def initial_carry(self, batch_size: int, max_length: int) -> MinimalCarry:
        """Zeros, whatever the length."""
        return MinimalCarry(jnp.zeros((batch_size, self.out_features), self.bias.dtype))

    def unroll(
        self,
        xs: Float[Array, "T B D"],
        mask: Bool[Array, "T B"] | None = None,
        carry: MinimalCarry | None = None,
        *,
        key: KeyArray | None = None,
    ) -> tuple[Float[Array, "T B H"], MinimalCarry]:
        """All steps: `xs` `[T, B, D]` to `hs` `[T, B, H]`, 0 at padding, and the final carry."""
        steps, batch_size, _ = xs.shape
        carry = self.initial_carry(batch_size, steps) if carry is None else carry
        keep, write, candidate = self.coefficients(affine(xs, self.kernel[...], self.bias[...]))
        hs, h = linear.unroll(keep, write * candidate, carry.h, mask, False)
        return hs, MinimalCarry(h)

    def step(
        self, carry: MinimalCarry, x: Float[Array, "B D"]
    ) -> tuple[MinimalCarry, Float[Array, "B H"]]:
        """One step: `x` `[B, D]` to `h` `[B, H]`."""
        keep, write, candidate = self.coefficients(x @ self.kernel[...] + self.bias[...])
        h = keep * carry.h + write * candidate
        return MinimalCarry(h), h

    def stepwise(self) -> StepwiseLayer:
        """The same parameters, step after step."""
        return StepwiseLayer(self)

    @property
    def activation_kinds(self) -> Mapping[str, Activation]:
        """keep as "forget", write as "input", n as "candidate"."""
        return {
            "forget": SIGMOID._replace(keeps=True),
            "input": SIGMOID,
            "candidate": candidate_kind(self.candidate),
        }

    def activations(self, carry: MinimalCarry, x: Float[Array, "B D"]) -> Mapping[str, Array]:
        """keep, write and n, `[B, H]`, as "forget", "input" and "candidate"."""
        found = self.coefficients(x @ self.kernel[...] + self.bias[...])
        return dict(zip(("forget", "input", "candidate"), found, strict=True))
