"""Two cells over the same sequence, in both directions."""

from __future__ import annotations

from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Bool, Float

from seqexp.cells.protocol import Cell, DropoutMasks
from seqexp.cells.sizes import require_flag
from seqexp.layers.recurrent import Recurrent
from seqexp.recurrences.masking import backward
from seqexp.recurrences.remat import Remat
from seqexp.types import Array, Carry, KeyArray, SeqexpError

Merge = Literal["concat", "sum"]


class Bidirectional(nnx.Module):
    """Bidirectional recurrence (Schuster and Paliwal 1997, https://doi.org/10.1109/78.650093).

        y_t = [forward_t; backward_t] or forward_t + backward_t

    Args:
        forward_cell: reads each sequence from its first step.
        backward_cell: reads it from its own last step.
        merge: "concat" or "sum".
        together: run both directions in one scan, the cells stacked; for cells that are the same
            but for their numbers. None does so on accelerators, where each step of a scan costs
            the same for two as for one; on a CPU two scans are as fast or faster.
        remat: as `Recurrent`'s.

    Raises:
        SeqexpError: for an unknown merge, cells whose widths don't fit, cells that differ and are
            to run together, or an impossible remat.
    """

    causal = False

    def __init__(
        self,
        forward_cell: Cell,
        backward_cell: Cell,
        *,
        merge: Merge = "concat",
        together: bool | None = None,
        remat: Remat = None,
    ):
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
        if together is not None:
            require_flag(together=together)
        alike = _form(forward_cell) == _form(backward_cell)
        if together and not alike:
            raise SeqexpError(
                "the two cells differ in more than their numbers, so they cannot run in one scan: "
                "use cells of one class, width and options, or together=None"
            )
        self.forward = Recurrent(forward_cell, remat=remat)
        self.backward = Recurrent(backward_cell, reverse=True, remat=remat)
        self.merge: Merge = merge
        on_accelerator = jax.default_backend() != "cpu"
        self.together = alike and on_accelerator if together is None else together
        self.in_features = forward_cell.in_features
        self.out_features = sum(widths) if merge == "concat" else widths[0]

    @property
    def recurrent_parameters(self) -> tuple[Any, ...]:
        """Those of both cells."""
        return self.forward.recurrent_parameters + self.backward.recurrent_parameters

    def initial_carry(self, batch_size: int, max_length: int) -> Carry:
        """The pair of the cells' carries, whatever the length."""
        return tuple(
            layer.initial_carry(batch_size, max_length) for layer in (self.forward, self.backward)
        )

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
            carry: the pair of carries before the first and after the last step; None for the
                cells' initial carries.
            key: draws the cells' dropout masks; None for evaluation.

        Returns:
            `[T, B, P]`, 0 at padding, and the pair of final carries.
        """
        steps, batch_size, _ = xs.shape
        carries = self.initial_carry(batch_size, steps) if carry is None else carry
        layers = self.forward, self.backward
        keys = (None, None) if key is None else jax.random.split(key)
        dropouts = [
            {} if key is None else layer.cell.dropout_masks(key, batch_size, steps)
            for layer, key in zip(layers, keys, strict=True)
        ]
        if self.together:
            ys, carries = self._in_one_scan(xs, mask, carries, dropouts)
        else:
            results = [
                layer.run(xs, mask, carry, dropout)
                for layer, carry, dropout in zip(layers, carries, dropouts, strict=True)
            ]
            ys, carries = zip(*results, strict=True)
        if self.merge == "sum":
            return ys[0] + ys[1], carries
        return jnp.concatenate(ys, axis=-1), carries

    def _in_one_scan(
        self, xs: Array, mask: Array | None, carries: Carry, dropouts: list[DropoutMasks]
    ) -> tuple[tuple[Array, Array], tuple[Carry, Carry]]:
        """Both directions in one forward scan, the backward one over reversed sequences."""

        def run(cell: Cell, xs: Array, carry: Carry, dropout: DropoutMasks) -> tuple[Array, Carry]:
            return Recurrent(cell, remat=self.forward.remat).run(xs, mask, carry, dropout)

        there = self.forward.cell, xs, carries[0], dropouts[0]
        back = self.backward.cell, backward(xs, mask), carries[1], backward(dropouts[1], mask)
        both = jax.tree.map(lambda *parts: jnp.stack(parts), there, back)
        ys, finals = jax.vmap(run)(*both)
        return (ys[0], backward(ys[1], mask)), tuple(
            jax.tree.map(lambda part, index=index: part[index], finals) for index in (0, 1)
        )

    def step(self, carry: Carry, x: Float[Array, "B D"]) -> tuple[Carry, Float[Array, "B P"]]:
        """Always raises SeqexpError: the backward cell needs the whole sequence."""
        raise SeqexpError(
            "a bidirectional layer reads the whole sequence, so it cannot go step by step: "
            "use a unidirectional model for decoding"
        )

    def stepwise(self) -> Bidirectional:
        """The same cells, each scanned over its step."""
        forward, backward = self.forward.stepwise(), self.backward.stepwise()
        return Bidirectional(forward.cell, backward.cell, merge=self.merge, together=False)


def _form(cell: Cell) -> Any:
    """Everything about a cell but its numbers."""
    leaves, structure = jax.tree.flatten(cell)
    return structure, [(leaf.shape, leaf.dtype) for leaf in leaves]
