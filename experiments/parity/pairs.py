"""A layer of ours beside a public one, with the same parameters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import our_side
import their_side
from comparing import Arrays, Differences, differences

BATCH, STEPS, WIDTH, HEADS = 2, 37, 16, 4
"""What most pairs are made of; 37 steps fill no chunk of any of them."""


def _none(parameters: Arrays) -> Arrays:
    return {}


@dataclass(frozen=True)
class Pair:
    """One layer, twice.

    Attributes:
        inputs: `[B, T, ...]` by name.
        ours: of our parameters and the inputs.
        theirs: of the inputs.
        module: holds their parameters; None for a function without any.
        mapped: their parameters in our names and layouts. It only moves numbers or changes their
            sign, so that it serves gradients, too.
    """

    inputs: Arrays
    ours: our_side.Function
    theirs: their_side.Function
    module: Any = None
    mapped: Callable[[Arrays], Arrays] = field(default=_none)


def compared(pair: Pair, rng: np.random.Generator) -> Differences:
    """The differences of both sides, for drawn cotangents of outputs and final states."""
    own = pair.mapped(their_side.parameters(pair.module))
    ends, states = our_side.shapes(pair.ours, own, pair.inputs)
    cotangents = (
        rng.normal(size=ends),
        {name: rng.normal(size=shape) for name, shape in states.items()},
    )
    ours = our_side.answer(pair.ours, own, pair.inputs, cotangents)
    theirs = their_side.answer(pair.theirs, pair.module, pair.mapped, pair.inputs, cotangents)
    return differences(ours, theirs)


def sequence(rng: np.random.Generator, width: int = WIDTH) -> Arrays:
    """One input, "x"."""
    return {"x": rng.normal(size=(BATCH, STEPS, width))}
