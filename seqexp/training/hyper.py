"""What may differ between the members of a group."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from seqexp.types import Array


class Hyper(NamedTuple):
    """What may differ between the members of a group: it enters the program as traced values.

    This is where these values are named; their names in a config's `optimizer` and their types are
    read off the fields.

    Attributes:
        seed: all randomness of the member: parameters, data order, dropout.
        learning_rate: before the schedule.
        weight_decay: decoupled, a step.
        clip_norm: the global norm that gradients are clipped to; None or infinity for no clipping.
    """

    seed: int | Array
    learning_rate: float | Array
    weight_decay: float | Array
    clip_norm: float | Array | None

    @classmethod
    def example(cls) -> Hyper:
        """Zeros, for where only shapes count."""
        return cls(*(0 for _ in cls._fields))

    def traced(self) -> Hyper:
        """In the types that programs take: the seed uint32, all else float32."""
        seed, *rates = (math.inf if value is None else value for value in self)
        return Hyper(np.uint32(seed), *map(np.float32, rates))  # type: ignore[arg-type]
