"""A cell run over time."""

from __future__ import annotations

from flax import nnx

from seqexp.types import Array, Carry, Cell, SeqexpError


class Recurrent(nnx.Module):
    """Run a cell over time, forward or in reverse.

    Args:
        cell: any cell, wrapped or bare.
        reverse: read each sequence from its own last step to its first; outputs stay in place.
    """

    def __init__(self, cell: Cell, *, reverse: bool = False):
        self.cell = cell
        self.in_features = cell.in_features
        self.out_features = cell.out_features
        self.reverse = reverse

    @property
    def causal(self) -> bool:
        """Whether an output depends only on the inputs up to it."""
        return not self.reverse

    def initial_carry(self, batch_size: int) -> Carry:
        """The cell's."""
        return self.cell.initial_carry(batch_size)

    def __call__(
        self,
        xs: Array,
        lengths: Array | None = None,
        carry: Carry | None = None,
        key: Array | None = None,
    ) -> tuple[Array, Carry]:
        """Run whole sequences.

        Args:
            xs: `[B, T, D]`.
            lengths: `[B]`; None if every step is real.
            carry: the carry before the first step; None for `initial_carry`.
            key: draws the cell's noise; None for evaluation.

        Returns:
            `[B, T, P]`, 0 at padding, and the final carry.
        """
        noise = None if key is None else self.cell.draw(key, xs.shape[0], xs.shape[1])
        return self.cell.unroll(xs, carry=carry, lengths=lengths, noise=noise, reverse=self.reverse)

    def step(self, carry: Carry, x: Array) -> tuple[Carry, Array]:
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
