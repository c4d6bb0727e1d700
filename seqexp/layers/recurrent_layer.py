"""One recurrent layer of a stack, from a cell and its options."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

from flax import nnx

from seqexp.cells.protocol import Cell
from seqexp.layers.bidirectional import Bidirectional, Merge
from seqexp.layers.recurrent import Recurrent
from seqexp.recurrences.remat import Remat
from seqexp.types import SeqexpError


def recurrent_layer(
    in_features: int,
    features: int,
    *,
    cell: Callable[..., Cell],
    bidirectional: bool = False,
    merge: Merge = "concat",
    remat: Remat = None,
    cell_dropout: Callable[[Cell], Cell] | None = None,
    rngs: nnx.Rngs,
) -> Recurrent | Bidirectional:
    """A cell run over time, in one direction or both.

    Args:
        in_features: D.
        features: H, the hidden units of each direction.
        cell: makes a cell from `(in_features, features, rngs=...)`.
        bidirectional: read the sequence in both directions.
        merge: "concat" or "sum" of the two directions.
        remat: as `Recurrent`'s.
        cell_dropout: wraps each cell in a member of the dropout family; None for bare cells.
        rngs: draws the parameters.

    Raises:
        SeqexpError: for an unknown merge, and what the cell, its wrapper or the layer refuses.
    """
    if merge not in get_args(Merge):
        raise SeqexpError(f"model.merge must be one of {get_args(Merge)}, not {merge!r}")

    def new_cell() -> Cell:
        bare = cell(in_features, features, rngs=rngs)
        return bare if cell_dropout is None else cell_dropout(bare)

    if bidirectional:
        return Bidirectional(new_cell(), new_cell(), merge=merge, remat=remat)
    return Recurrent(new_cell(), remat=remat)
