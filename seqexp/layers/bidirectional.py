"""Two cells over the same sequence, in both directions."""

from __future__ import annotations

from typing import Literal, get_args

import jax
import jax.numpy as jnp
from flax import nnx

from seqexp.layers.recurrent import Recurrent
from seqexp.types import Array, Carry, Cell, SeqexpError

Merge = Literal["concat", "sum"]


class Bidirectional(nnx.Module):
    """Bidirectional recurrence (Schuster and Paliwal 1997, https://doi.org/10.1109/78.650093).

        y_t = [forward_t; backward_t] or forward_t + backward_t

    Args:
        forward_cell: reads each sequence from its first step.
        backward_cell: reads it from its own last step.
        merge: "concat" or "sum".

    Raises:
        SeqexpError: for an unknown merge, or cells whose widths don't fit together.
    """

    causal = False

    def __init__(self, forward_cell: Cell, backward_cell: Cell, *, merge: Merge = "concat"):
        if merge not in get_args(Merge):
            raise SeqexpError(f"unknown merge {merge!r}: use concat or sum")
        if forward_cell.in_features != backward_cell.in_features:
            raise SeqexpError(
                f"the two cells take {forward_cell.in_features} and {backward_cell.in_features} "
                "features: give them the same in_features"
            )
        widths = forward_cell.out_features, backward_cell.out_features
        if merge == "sum" and widths[0] != widths[1]:
            raise SeqexpError(
                f"cannot sum {widths[0]} and {widths[1]} units: use merge=concat or equal widths"
            )
        self.forward = Recurrent(forward_cell)
        self.backward = Recurrent(backward_cell, reverse=True)
        self.merge: Merge = merge
        self.in_features = forward_cell.in_features
        self.out_features = sum(widths) if merge == "concat" else widths[0]

    def initial_carry(self, batch_size: int) -> Carry:
        """The pair of the cells' carries."""
        return self.forward.initial_carry(batch_size), self.backward.initial_carry(batch_size)

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
            carry: the pair of carries before the first and after the last step; None for
                `initial_carry`.
            key: draws the cells' noise; None for evaluation.

        Returns:
            `[B, T, P]`, 0 at padding, and the pair of final carries.
        """
        carries = (None, None) if carry is None else carry
        keys = (None, None) if key is None else jax.random.split(key)
        forward, forward_carry = self.forward(xs, lengths, carries[0], keys[0])
        backward, backward_carry = self.backward(xs, lengths, carries[1], keys[1])
        if self.merge == "sum":
            ys = forward + backward
        else:
            ys = jnp.concatenate([forward, backward], axis=-1)
        return ys, (forward_carry, backward_carry)

    def step(self, carry: Carry, x: Array) -> tuple[Carry, Array]:
        """Always raises SeqexpError: the backward cell needs the whole sequence."""
        raise SeqexpError(
            "a bidirectional layer reads the whole sequence, so it cannot go step by step: "
            "use a unidirectional model for decoding"
        )
