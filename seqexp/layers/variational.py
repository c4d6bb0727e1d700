"""Variational dropout: one mask a sequence, on inputs and hidden states."""

from __future__ import annotations

from jaxtyping import Bool, Float

from seqexp.cells.protocol import Cell, DropoutMasks
from seqexp.layers.cell_dropout import CellDropout, rehearse, without
from seqexp.layers.dropout import keep_mask, require_rate
from seqexp.types import Array, Carry, KeyArray


class Variational(CellDropout):
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

    draws = 2

    def __init__(self, cell: Cell, *, input_rate: float, hidden_rate: float):
        super().__init__(cell)
        require_rate("input_rate", input_rate)
        require_rate("hidden_rate", hidden_rate)
        self.input_rate = input_rate
        self.hidden_rate = hidden_rate
        rehearse(self)

    def own_masks(self, keys: list[KeyArray], batch_size: int, steps: int) -> DropoutMasks:
        """The masks "input" `[1, B, D]` and "hidden" `[1, B, P]`."""
        input_key, hidden_key = keys
        masks = {}
        if self.input_rate > 0:
            shape = 1, batch_size, self.in_features
            masks["input"] = keep_mask(input_key, self.input_rate, shape)
        if self.hidden_rate > 0:
            shape = 1, batch_size, self.out_features
            masks["hidden"] = keep_mask(hidden_key, self.hidden_rate, shape)
        return masks

    def step(
        self, carry: Carry, x: Float[Array, "B D"], dropout: DropoutMasks | None = None
    ) -> tuple[Carry, Float[Array, "B P"]]:
        """One step: `x` `[B, D]` to `[B, P]`."""
        if dropout and "input" in dropout:
            x = x * dropout["input"]
            dropout = without(dropout, "input")
        return self.cell.step(carry, x, dropout)

    def unroll(
        self,
        xs: Float[Array, "T B D"],
        *,
        carry: Carry | None = None,
        mask: Bool[Array, "T B"] | None = None,
        dropout: DropoutMasks | None = None,
        reverse: bool = False,
    ) -> tuple[Float[Array, "T B P"], Carry]:
        """All steps, time first: `xs` `[T, B, D]` to `[T, B, P]` and the final carry."""
        if dropout and "input" in dropout:
            xs = xs * dropout["input"]
            dropout = without(dropout, "input")
        return self.cell.unroll(xs, carry=carry, mask=mask, dropout=dropout, reverse=reverse)
