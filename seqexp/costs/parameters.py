"""How many parameters a model has, and of which part."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from flax import nnx


class Parameters(NamedTuple):
    """Parameter counts; what is in none of the three parts is in the total alone.

    Attributes:
        total: all of them, one that is shared counted once.
        recurrent: those that multiply the previous output or state.
        embedding: the token tables.
        readout: the last layer.
    """

    total: int
    recurrent: int
    embedding: int
    readout: int


def count_all(model: nnx.Module | nnx.State) -> int:
    """All `nnx.Param`s of a module or its state, real or abstract; a shared one once."""
    state = model if isinstance(model, nnx.State) else nnx.state(model)
    parameters = nnx.to_flat_state(nnx.filter_state(state, nnx.Param))
    return sum(math.prod(parameter.shape) for _, parameter in parameters)


def count_parameters(model: Any) -> Parameters:
    """Count the `nnx.Param`s of a model, real or abstract, by the parts that it tells."""
    parts: Mapping[str, tuple[Any, ...]] = model.parameter_parts()

    def of(part: str) -> int:
        # A parameter that two layers share is one.
        once = {id(parameter): parameter for parameter in parts.get(part, ())}
        return sum(math.prod(parameter.shape) for parameter in once.values())

    return Parameters(count_all(model), of("recurrent"), of("embedding"), of("readout"))
