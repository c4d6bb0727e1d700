"""What the LRU and S5 share: complex states, each with an eigenvalue of its own."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, NamedTuple, Self

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Bool, Float

from seqexp.layers.entrance import Entrance
from seqexp.layers.glu import GLU
from seqexp.recurrences import linear, state_space
from seqexp.recurrences.masking import where_mask
from seqexp.recurrences.state_space import StateSpace
from seqexp.types import Array, KeyArray


class ComplexCarry(NamedTuple):
    """The complex state x, `real` and `imaginary`, `[B, N]`."""

    real: Float[Array, "B N"]
    imaginary: Float[Array, "B N"]


class DiagonalStateSpace(nnx.Module):
    """A layer with a diagonal state space, whatever makes its numbers.

        x_t = lambda * x_{t-1} + u_t B
        y_t = Re(x_t C) + d * u_t

    and a gated linear unit of y_t. u_t is the input, or its image under a matrix where D and H
    differ. A subclass has lambda, B and C as its `system`.
    """

    causal = True

    in_features: int
    out_features: int
    states: int
    """N, the complex states."""
    enter: Entrance
    skip: nnx.Param
    glu: GLU
    how: linear.Way | None
    """How the states are computed; None for what is fast."""

    @property
    @abstractmethod
    def recurrent_parameters(self) -> tuple[Any, ...]:
        """The parameters that make lambda."""

    @abstractmethod
    def system(self) -> StateSpace:
        """lambda, B and C."""

    def initial_carry(self, batch_size: int, max_length: int) -> ComplexCarry:
        """Zeros, whatever the length."""
        zeros = jnp.zeros((batch_size, self.states), self.skip.dtype)
        return ComplexCarry(zeros, zeros)

    def unroll(
        self,
        xs: Float[Array, "T B D"],
        mask: Bool[Array, "T B"] | None = None,
        carry: ComplexCarry | None = None,
        *,
        key: KeyArray | None = None,
    ) -> tuple[Float[Array, "T B H"], ComplexCarry]:
        """All steps: `xs` `[T, B, D]` to `[T, B, H]`, 0 at padding, and the final carry."""
        steps, batch_size, _ = xs.shape
        carry = self.initial_carry(batch_size, steps) if carry is None else carry
        us = self.enter(xs)
        ys, state = state_space.unroll(
            self.system(), us, (carry.real, carry.imaginary), mask, self.how
        )
        ys = self.glu(ys + self.skip[...] * us)
        return where_mask(mask, ys, jnp.zeros_like(ys)), ComplexCarry(*state)

    def step(
        self, carry: ComplexCarry, x: Float[Array, "B D"]
    ) -> tuple[ComplexCarry, Float[Array, "B H"]]:
        """One step: `x` `[B, D]` to `[B, H]`."""
        u = self.enter(x)
        y, state = state_space.step(self.system(), u, (carry.real, carry.imaginary))
        return ComplexCarry(*state), self.glu(y + self.skip[...] * u)

    def stepwise(self) -> Self:
        """The same layer, whose states are computed one after the other; the system that makes
        them is computed once still."""
        copy = jax.tree.map(lambda leaf: leaf, self)
        copy.how = "sequential"
        return copy
