"""A cell run over time."""

from __future__ import annotations

import jax.numpy as jnp
from flax import nnx

from seqexp.recurrences.chunks import Chunk, in_chunks, require_chunk
from seqexp.recurrences.masking import time_first
from seqexp.types import Array, Carry, Cell, Noise, SeqexpError


class Recurrent(nnx.Module):
    """Run a cell over time, forward or in reverse.

    Args:
        cell: any cell, wrapped or bare.
        reverse: read each sequence from its own last step to its first; outputs stay in place.
        chunk: keep for the backward pass only every so many steps' carry, "auto" for every
            sqrt(T), and compute the rest again: O(sqrt T) memory beside inputs and outputs, for
            one more forward pass. None keeps everything.

    Raises:
        SeqexpError: for an impossible chunk.
    """

    def __init__(self, cell: Cell, *, reverse: bool = False, chunk: Chunk = None):
        require_chunk("chunk", chunk)
        self.cell = cell
        self.in_features = cell.in_features
        self.out_features = cell.out_features
        self.reverse = reverse
        self.chunk: Chunk = chunk

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
        xs, real = time_first(xs, lengths)
        ys, carry = self.unroll(xs, real, carry, key)
        return jnp.swapaxes(ys, 0, 1), carry

    def unroll(
        self, xs: Array, real: Array | None, carry: Carry | None, key: Array | None
    ) -> tuple[Array, Carry]:
        """The same, time first: `xs` `[T, B, D]`, finite at padding, and `real` `[T, B]`."""
        steps, batch_size, _ = xs.shape
        carry = self.initial_carry(batch_size) if carry is None else carry
        noise = None if key is None else self.cell.draw(key, batch_size, steps)
        return self.run(xs, real, carry, noise)

    def run(
        self, xs: Array, real: Array | None, carry: Carry, noise: Noise | None
    ) -> tuple[Array, Carry]:
        """The same with noise that is drawn already."""

        def unroll(
            xs: Array, carry: Carry, real: Array | None, noise: Noise | None
        ) -> tuple[Array, Carry]:
            return self.cell.unroll(xs, carry=carry, real=real, noise=noise, reverse=self.reverse)

        if self.chunk is None:
            return unroll(xs, carry, real, noise)
        noise = Noise() if noise is None else noise
        return in_chunks(unroll, carry, xs, real, noise, self.reverse, self.chunk)

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
