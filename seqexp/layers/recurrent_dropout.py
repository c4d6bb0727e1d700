"""Recurrent dropout: a new mask at every step, on what is written into the memory."""

from __future__ import annotations

from seqexp.cells.protocol import Cell, DropoutMasks
from seqexp.layers.cell_dropout import CellDropout, rehearse
from seqexp.layers.dropout import keep_mask, require_rate
from seqexp.types import KeyArray


class RecurrentDropout(CellDropout):
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
        super().__init__(cell)
        require_rate("rate", rate)
        self.rate = rate
        rehearse(self)

    def own_masks(self, keys: list[KeyArray], batch_size: int, steps: int) -> DropoutMasks:
        """The mask "update" `[T, B, H]`, which the cell applies."""
        if self.rate == 0:
            return {}
        shape = steps, batch_size, self.features
        return {"update": keep_mask(keys[0], self.rate, shape)}
