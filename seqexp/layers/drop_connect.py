"""DropConnect: drop weights of the recurrent kernel."""

from __future__ import annotations

from typing import Any

import jax
from jaxtyping import Bool, Float

from seqexp.cells.protocol import Cell, DropoutMasks
from seqexp.layers.cell_dropout import CellDropout, rehearse, without
from seqexp.layers.dropout import keep_mask, require_rate
from seqexp.types import Array, Carry, KeyArray, SeqexpError


class DropConnect(CellDropout):
    """Drop weights between hidden units, the same for all steps and sequences of a batch (Merity
    et al. 2018, https://arxiv.org/abs/1708.02182).

        U' = m * U

    where U is the cell's `recurrent_kernel`.

    Args:
        cell: any cell with a `recurrent_kernel`, wrapped or bare.
        rate: probability to drop a weight.

    Raises:
        SeqexpError: for a rate outside [0, 1), if another wrapper of the cell does the same, or if
            the cell has no `recurrent_kernel`.
    """

    def __init__(self, cell: Cell, *, rate: float):
        super().__init__(cell)
        require_rate("rate", rate)
        self.rate = rate
        rehearse(self)

    def own_masks(self, keys: list[KeyArray], batch_size: int, steps: int) -> DropoutMasks:
        """The mask "kernel" `[1, P, gates * H]`."""
        if self.rate == 0:
            return {}
        shape = 1, *_recurrent_kernel(self.cell).shape
        return {"kernel": keep_mask(keys[0], self.rate, shape)}

    def step(
        self, carry: Carry, x: Float[Array, "B D"], dropout: DropoutMasks | None = None
    ) -> tuple[Carry, Float[Array, "B P"]]:
        """One step: `x` `[B, D]` to `[B, P]`."""
        cell = self.cell
        if dropout and "kernel" in dropout:
            cell = _masked(cell, dropout["kernel"])
            dropout = without(dropout, "kernel")
        return cell.step(carry, x, dropout)

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
        cell = self.cell
        if dropout and "kernel" in dropout:
            cell = _masked(cell, dropout["kernel"][0])
            dropout = without(dropout, "kernel")
        return cell.unroll(xs, carry=carry, mask=mask, dropout=dropout, reverse=reverse)


def _is_recurrent_kernel(path: tuple[Any, ...]) -> bool:
    return "recurrent_kernel" in jax.tree_util.keystr(path, simple=True, separator="/").split("/")


def _recurrent_kernel(cell: Cell) -> Array:
    leaves, _ = jax.tree_util.tree_flatten_with_path(cell)
    kernels = [leaf for path, leaf in leaves if _is_recurrent_kernel(path)]
    if len(kernels) != 1:
        raise SeqexpError(
            f"DropConnect needs a cell with one recurrent_kernel; this one has {len(kernels)}: "
            "use another cell or another kind of dropout"
        )
    return kernels[0]


def _masked(cell: Cell, mask: Array) -> Cell:
    """A copy of `cell` (a pytree) with its recurrent kernel multiplied by `mask`."""
    return jax.tree_util.tree_map_with_path(
        lambda path, leaf: leaf * mask if _is_recurrent_kernel(path) else leaf, cell
    )
