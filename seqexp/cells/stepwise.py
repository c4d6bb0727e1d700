"""A cell that unrolls by its own step."""

from __future__ import annotations

from typing import Any

from flax import nnx
from jaxtyping import Bool, Float

from seqexp.cells.protocol import Cell, DropoutMasks
from seqexp.recurrences.scan import scan
from seqexp.types import Array, Carry, KeyArray


class Stepwise(nnx.Module):
    """A cell whose `unroll` is a scan over its `step`: its equations, with no faster path.

    Args:
        cell: any cell, wrapped or bare.
    """

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
        """The cell's."""
        return self.cell.dropout_masks(key, batch_size, steps)

    def step(
        self, carry: Carry, x: Float[Array, "B D"], dropout: DropoutMasks | None = None
    ) -> tuple[Carry, Float[Array, "B P"]]:
        """The cell's."""
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
        """All steps, time first: `xs` `[T, B, D]` to `ys` `[T, B, P]` and the final carry."""
        carry = self.initial_carry(xs.shape[1]) if carry is None else carry
        return scan(self.cell.step, carry, xs, mask, dropout or {}, reverse)
