"""How many parameters a model has, and of which part."""

from __future__ import annotations

import math
from typing import NamedTuple

from flax import nnx


class Parameters(NamedTuple):
    """Parameter counts; what is in none of the three parts is in the total alone.

    Attributes:
        total: all of them, one that is shared counted once.
        recurrent: those that multiply the previous output or state.
        embedding: the token table.
        readout: the last layer.
    """

    total: int
    recurrent: int
    embedding: int
    readout: int


def count_parameters(model: nnx.Module | nnx.State) -> Parameters:
    """Count the `nnx.Param`s of a model, real or abstract (`nnx.eval_shape`).

    A parameter belongs to a part by an attribute name on its path: `recurrent...` (any name that
    starts so, as `recurrent_kernel`), `embed` or `readout`.

    Args:
        model: the module, or its state.
    """
    state = model if isinstance(model, nnx.State) else nnx.state(model)
    sizes = {
        tuple(map(str, path)): math.prod(parameter.shape)
        for path, parameter in nnx.to_flat_state(nnx.filter_state(state, nnx.Param))
    }

    def under(name: str) -> int:
        return sum(size for path, size in sizes.items() if name in path)

    return Parameters(
        total=sum(sizes.values()),
        recurrent=sum(
            size
            for path, size in sizes.items()
            if any(name.startswith("recurrent") for name in path)
        ),
        embedding=under("embed"),
        readout=under("readout"),
    )
