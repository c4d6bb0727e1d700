"""What the dropout family shares: each member wraps a cell and draws masks beside the cell's."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import jax
import jax.numpy as jnp

from seqexp.cells.protocol import Cell, DropoutMasks
from seqexp.cells.wrapped import WrappedCell
from seqexp.types import Array, KeyArray, SeqexpError


class CellDropout(WrappedCell):
    """A cell that wraps another and drops something of it; a member of the family says what.

    Args:
        cell: any cell, wrapped or bare.
    """

    draws: ClassVar[int] = 1
    """How many keys the member's own masks take."""

    def dropout_masks(self, key: KeyArray, batch_size: int, steps: int) -> DropoutMasks:
        """The cell's masks and the member's own.

        Raises:
            SeqexpError: if another wrapper of the cell draws one of the member's.
        """
        cell_key, *keys = jax.random.split(key, 1 + self.draws)
        masks = self.cell.dropout_masks(cell_key, batch_size, steps)
        own = self.own_masks(keys, batch_size, steps)
        for name in own:
            if name in masks:
                raise SeqexpError(
                    f"two wrappers of one cell both draw the dropout mask {name!r}: "
                    "remove one of them"
                )
        return {**masks, **own}

    @abstractmethod
    def own_masks(self, keys: list[KeyArray], batch_size: int, steps: int) -> DropoutMasks:
        """What the member draws from so many keys as it says in `draws`; {} at rate 0."""


def without(dropout: DropoutMasks, name: str) -> DropoutMasks:
    """The masks that are left for the cell inside."""
    return {other: mask for other, mask in dropout.items() if other != name}


def rehearse(cell: Cell) -> None:
    """Trace one training step of `cell`, so that it refuses what it cannot do when it is built."""

    def step(key: Array) -> Array:
        dropout = jax.tree.map(lambda mask: mask[0], cell.dropout_masks(key, 1, 1))
        return cell.step(cell.initial_carry(1), jnp.zeros((1, cell.in_features)), dropout)[1]

    jax.eval_shape(step, jax.random.key(0))
