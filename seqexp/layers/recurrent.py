"""A cell run over time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flax import nnx
from jaxtyping import Bool, Float

from seqexp.cells.prepared import prepared
from seqexp.cells.protocol import (
    Activation,
    Cell,
    DropoutMasks,
    activation_kinds,
    activations,
)
from seqexp.cells.sizes import require_flag
from seqexp.cells.stepwise import Stepwise
from seqexp.recurrences.remat import Remat, checkpointed, require_remat
from seqexp.types import Array, Carry, KeyArray, SeqexpError


class Recurrent(nnx.Module):
    """Run a cell over time, forward or in reverse.

    Args:
        cell: any cell, wrapped or bare.
        reverse: read each sequence from its own last step to its first; outputs stay in place.
        remat: gradient checkpointing: keep for the backward pass only every so many steps' carry,
            "auto" for every sqrt(T), and compute the rest again: O(sqrt T) memory beside inputs
            and outputs, for one more forward pass. None keeps everything.

    Raises:
        SeqexpError: for an impossible remat.
    """

    def __init__(self, cell: Cell, *, reverse: bool = False, remat: Remat = None):
        require_remat("remat", remat)
        require_flag(reverse=reverse)
        self.cell = cell
        self.in_features = cell.in_features
        self.out_features = cell.out_features
        self.reverse = reverse
        self.remat: Remat = remat

    @property
    def causal(self) -> bool:
        """Whether an output depends only on the inputs up to it."""
        return not self.reverse

    @property
    def recurrent_parameters(self) -> tuple[Any, ...]:
        """The cell's."""
        return self.cell.recurrent_parameters

    def initial_carry(self, batch_size: int, max_length: int) -> Carry:
        """The cell's, whatever the length."""
        return self.cell.initial_carry(batch_size)

    def unroll(
        self,
        xs: Float[Array, "T B D"],
        mask: Bool[Array, "T B"] | None = None,
        carry: Carry | None = None,
        *,
        key: KeyArray | None = None,
    ) -> tuple[Float[Array, "T B P"], Carry]:
        """Run whole sequences.

        Args:
            xs: `[T, B, D]`, finite at padding.
            mask: `[T, B]`, False at padding; None if every step is real.
            carry: the carry before the first step; None for the cell's initial carry.
            key: draws the cell's dropout masks; None for evaluation.

        Returns:
            `[T, B, P]`, 0 at padding, and the final carry.
        """
        steps, batch_size, _ = xs.shape
        carry = self.cell.initial_carry(batch_size) if carry is None else carry
        dropout = {} if key is None else self.cell.dropout_masks(key, batch_size, steps)
        return self.run(xs, mask, carry, dropout)

    def run(
        self, xs: Array, mask: Array | None, carry: Carry, dropout: DropoutMasks
    ) -> tuple[Float[Array, "T B P"], Carry]:
        """The same with dropout masks that are drawn already."""

        def unroll(
            xs: Array, carry: Carry, mask: Array | None, dropout: DropoutMasks
        ) -> tuple[Float[Array, "T B P"], Carry]:
            return self.cell.unroll(
                xs, carry=carry, mask=mask, dropout=dropout, reverse=self.reverse
            )

        if self.remat is None:
            return unroll(xs, carry, mask, dropout)
        return checkpointed(unroll, carry, xs, mask, dropout, self.reverse, self.remat)

    def step(self, carry: Carry, x: Float[Array, "B D"]) -> tuple[Carry, Float[Array, "B P"]]:
        """One step at evaluation: `x` `[B, D]` to `[B, P]`.

        Raises:
            SeqexpError: for a reverse layer, which needs the whole sequence.
        """
        if self.reverse:
            raise SeqexpError(
                "a reverse layer starts at the end of a sequence, so it cannot go step by step: "
                "use a forward one"
            )
        return self.cell.step(carry, x)

    @property
    def activation_kinds(self) -> Mapping[str, Activation]:
        """The cell's."""
        return activation_kinds(self.cell)

    def activations(self, carry: Carry, x: Float[Array, "B D"]) -> Mapping[str, Array]:
        """The cell's."""
        return activations(self.cell, carry, x)

    def stepwise(self) -> Recurrent:
        """The same cell and direction, scanned over the cell's step."""
        return Recurrent(Stepwise(prepared(self.cell)), reverse=self.reverse)
