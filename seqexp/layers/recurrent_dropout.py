"""Recurrent dropout: a new mask at every step, on what is written into the memory."""

from __future__ import annotations

import jax
from flax import nnx

from seqexp.layers.dropout import keep_mask, require_rate
from seqexp.layers.noise import rehearse, require_free
from seqexp.types import Array, Carry, Cell, Noise


class RecurrentDropout(nnx.Module):
    """Drop the update of a gated cell, never its memory (Semeniuta et al. 2016,
    https://arxiv.org/abs/1603.05118).

        c_t = f_t * c_{t-1} + i_t * (m_t * g_t)              for an LSTM, m drawn anew at each t
        h_t = z_t * h_{t-1} + (1 - z_t) * (m_t * n_t)        for a GRU

    Args:
        cell: any cell that has a candidate apart from its state, wrapped or bare.
        rate: probability to drop a unit of the candidate.

    Raises:
        SeqexpError: for a rate outside [0, 1), if another wrapper of the cell does the same, or if
            the cell has no candidate.
    """

    def __init__(self, cell: Cell, *, rate: float):
        require_rate("rate", rate)
        self.cell = cell
        self.in_features = cell.in_features
        self.features = cell.features
        self.out_features = cell.out_features
        self.rate = rate
        rehearse(self)

    def initial_carry(self, batch_size: int) -> Carry:
        """The cell's."""
        return self.cell.initial_carry(batch_size)

    def output(self, carry: Carry) -> Array:
        """The cell's."""
        return self.cell.output(carry)

    def draw(self, key: Array, batch_size: int, steps: int) -> Noise:
        """The cell's noise, with `update` `[T, B, H]`."""
        cell_key, update_key = jax.random.split(key)
        noise = self.cell.draw(cell_key, batch_size, steps)
        if self.rate == 0:
            return noise
        require_free("update", noise.update)
        shape = steps, batch_size, self.features
        return noise._replace(update=keep_mask(update_key, self.rate, shape))

    def step(self, carry: Carry, x: Array, noise: Noise | None = None) -> tuple[Carry, Array]:
        """One step: `x` `[B, D]` to `[B, P]`; the cell applies the mask."""
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
        return self.cell.unroll(xs, carry=carry, real=real, noise=noise, reverse=reverse)
