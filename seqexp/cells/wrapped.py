"""A cell around another cell: what both are asked alike is passed on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flax import nnx
from jaxtyping import Bool, Float

from seqexp.cells.protocol import (
    Activation,
    Cell,
    DropoutMasks,
    activation_kinds,
    activations,
)
from seqexp.types import Array, Carry, KeyArray


class WrappedCell(nnx.Module):
    """What wraps a cell and changes one thing about it; all else is the cell's.

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

    @property
    def activation_kinds(self) -> Mapping[str, Activation]:
        """The cell's."""
        return activation_kinds(self.cell)

    def activations(self, carry: Carry, x: Float[Array, "B D"]) -> Mapping[str, Array]:
        """The cell's."""
        return activations(self.cell, carry, x)

    def step(
        self, carry: Carry, x: Float[Array, "B D"], dropout: DropoutMasks | None = None
    ) -> tuple[Carry, Float[Array, "B P"]]:
        """The cell's: `x` `[B, D]` to `[B, P]`."""
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
        """The cell's: `xs` `[T, B, D]` to `[T, B, P]` and the final carry."""
        return self.cell.unroll(xs, carry=carry, mask=mask, dropout=dropout, reverse=reverse)
