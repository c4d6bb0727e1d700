"""Variational dropout: one mask a sequence, on inputs and hidden states."""

from __future__ import annotations

import jax
from flax import nnx

from seqexp.layers.dropout import keep_mask, require_rate
from seqexp.layers.noise import rehearse, require_free
from seqexp.types import Array, Carry, Cell, Noise


class Variational(nnx.Module):
    """Drop the same inputs and hidden units at every step of a sequence (Gal and Ghahramani 2016,
    https://arxiv.org/abs/1512.05287).

        h_t, carry_t = cell(x_t * m_x, h_{t-1} * m_h)         m constant in t

    m_h falls on h where it enters the matrices; what the carry holds is not dropped.

    Args:
        cell: any cell, wrapped or bare.
        input_rate: probability to drop an input.
        hidden_rate: probability to drop a hidden unit.

    Raises:
        SeqexpError: for rates outside [0, 1), or if another wrapper of the cell does the same.
    """

    def __init__(self, cell: Cell, *, input_rate: float, hidden_rate: float):
        require_rate("input_rate", input_rate)
        require_rate("hidden_rate", hidden_rate)
        self.cell = cell
        self.in_features = cell.in_features
        self.features = cell.features
        self.out_features = cell.out_features
        self.input_rate = input_rate
        self.hidden_rate = hidden_rate
        rehearse(self)

    def initial_carry(self, batch_size: int) -> Carry:
        """The cell's."""
        return self.cell.initial_carry(batch_size)

    def output(self, carry: Carry) -> Array:
        """The cell's."""
        return self.cell.output(carry)

    def draw(self, key: Array, batch_size: int, steps: int) -> Noise:
        """The cell's noise, with `input` and `hidden` `[1, B, ...]`."""
        cell_key, input_key, hidden_key = jax.random.split(key, 3)
        noise = self.cell.draw(cell_key, batch_size, steps)
        if self.input_rate > 0:
            require_free("input", noise.input)
            shape = 1, batch_size, self.in_features
            noise = noise._replace(input=keep_mask(input_key, self.input_rate, shape))
        if self.hidden_rate > 0:
            require_free("hidden", noise.hidden)
            shape = 1, batch_size, self.out_features
            noise = noise._replace(hidden=keep_mask(hidden_key, self.hidden_rate, shape))
        return noise

    def step(self, carry: Carry, x: Array, noise: Noise | None = None) -> tuple[Carry, Array]:
        """One step: `x` `[B, D]` to `[B, P]`."""
        if noise is not None and noise.input is not None:
            x = x * noise.input
            noise = noise._replace(input=None)
        return self.cell.step(carry, x, noise)

    def unroll(
        self,
        xs: Array,
        *,
        carry: Carry | None = None,
        real: Array | None = None,
        noise: Noise | None = None,
        reverse: bool = False,
    ) -> tuple[Array, Carry]:
        """All steps, time first: `xs` `[T, B, D]` to `[T, B, P]` and the final carry."""
        if noise is not None and noise.input is not None:
            xs = xs * noise.input
            noise = noise._replace(input=None)
        return self.cell.unroll(xs, carry=carry, real=real, noise=noise, reverse=reverse)
