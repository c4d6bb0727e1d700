"""What the dropout family shares: each member wraps a cell and draws masks beside the cell's."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Bool, Float

from seqexp.cells.protocol import Cell, DropoutMasks
from seqexp.types import Array, Carry, KeyArray, SeqexpError


class CellDropout(nnx.Module):
    """A cell that wraps another and drops something of it; a member of the family says what.

    Args:
        cell: any cell, wrapped or bare.
    """

    draws: ClassVar[int] = 1
    """How many keys the member's own masks take."""

    def __init__(self, cell: Cell):
        self.cell = cell
        self.in_features = cell.in_features
        self.features = cell.features
        self.out_features = cell.out_features

    @property
    def recurrent_parameters(self) -> tuple[Any, ...]:
        """The cell's."""
        return self.cell.recurrent_parameters

    def initial_carry(self, batch_size: int) -> Carry:
        """The cell's."""
        return self.cell.initial_carry(batch_size)

    def output(self, carry: Carry) -> Float[Array, "B P"]:
        """The cell's."""
        return self.cell.output(carry)

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

    @abstractmethod
    def step(
        self, carry: Carry, x: Float[Array, "B D"], dropout: DropoutMasks | None = None
    ) -> tuple[Carry, Float[Array, "B P"]]:
        """One step: `x` `[B, D]` to `[B, P]`."""

    @abstractmethod
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


def without(dropout: DropoutMasks, name: str) -> DropoutMasks:
    """The masks that are left for the cell inside."""
    return {other: mask for other, mask in dropout.items() if other != name}


def rehearse(cell: Cell) -> None:
    """Trace one training step of `cell`, so that it refuses what it cannot do when it is built."""

    def step(key: Array) -> Array:
        dropout = jax.tree.map(lambda mask: mask[0], cell.dropout_masks(key, 1, 1))
        return cell.step(cell.initial_carry(1), jnp.zeros((1, cell.in_features)), dropout)[1]

    jax.eval_shape(step, jax.random.key(0))
