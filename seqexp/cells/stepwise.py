"""A cell that unrolls by its own step."""

from __future__ import annotations

from jaxtyping import Bool, Float

from seqexp.cells.protocol import DropoutMasks
from seqexp.cells.wrapped import WrappedCell
from seqexp.recurrences.scan import scan
from seqexp.types import Array, Carry


class Stepwise(WrappedCell):
    """A cell whose `unroll` is a scan over its `step`: its equations, with no faster path.

    Args:
        cell: any cell, wrapped or bare.
    """

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
