"""A layer of ours beside a public one, with the same parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import our_side
import their_side
from comparing import Arrays, Differences, differences


class Sizes(NamedTuple):
    """What pairs are made of; a field with a pair's name is of that one alone.

    Attributes:
        batch: B.
        steps: T.
        width: of inputs and outputs, but where a pair has its own.
        heads: of what has any.
        deviation: of drawn parameters.
        keys: of a head, in recurrences alone.
        values: the same.
        mamba: state and rank.
        mamba2: state and steps of a chunk.
        gated_delta_net: keys and values of a head.
        mlstm: steps of a chunk.
        rg_lru: units.
        rwkv7: rank of decays and rates, and rank of gates.
        retention: width.
        tcn: inputs and levels.
    """

    batch: int
    steps: int
    width: int
    heads: int
    deviation: float
    keys: int
    values: int
    mamba: tuple[int, int]
    mamba2: tuple[int, int]
    gated_delta_net: tuple[int, int]
    mlstm: int
    rg_lru: int
    rwkv7: tuple[int, int]
    retention: int
    tcn: tuple[int, int]


SMALL = Sizes(
    batch=2,
    steps=37,
    width=16,
    heads=4,
    deviation=0.3,
    keys=8,
    values=6,
    mamba=(8, 3),
    mamba2=(8, 16),
    gated_delta_net=(6, 8),
    mlstm=16,
    rg_lru=24,
    rwkv7=(3, 5),
    retention=24,
    tcn=(6, 3),
)
"""To compare numbers; 37 steps fill no chunk of any pair."""

LARGE = Sizes(
    batch=8,
    steps=512,
    width=256,
    heads=4,
    deviation=0.075,
    keys=64,
    values=64,
    mamba=(16, 16),
    mamba2=(64, 64),
    gated_delta_net=(64, 128),
    mlstm=64,
    rg_lru=256,
    rwkv7=(32, 64),
    retention=256,
    tcn=(128, 6),
)
"""To take times; a product with a drawn matrix is as large as in `SMALL`."""


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
        others: further ways of theirs to the same outputs, by name, of which times are taken, too;
            states of theirs may be lacking.
    """

    inputs: Arrays
    ours: our_side.Function
    theirs: their_side.Function
    module: Any = None
    mapped: Callable[[Arrays], Arrays] = field(default=_none)
    others: Mapping[str, their_side.Function] = field(default_factory=dict)


Maker = Callable[[np.random.Generator, Sizes], Pair]
"""Theirs is made in torch's default precision."""


def compared(make: Maker, sizes: Sizes, rng: np.random.Generator) -> Differences:
    """The differences of both sides of a pair, for drawn cotangents of outputs and final states."""
    with their_side.doubled():
        pair = make(rng, sizes)
    own = pair.mapped(their_side.parameters(pair.module))
    ends, states = our_side.shapes(pair.ours, own, pair.inputs)
    cotangents = (
        rng.normal(size=ends),
        {name: rng.normal(size=shape) for name, shape in states.items()},
    )
    ours = our_side.answer(pair.ours, own, pair.inputs, cotangents)
    theirs = their_side.answer(pair.theirs, pair.module, pair.mapped, pair.inputs, cotangents)
    return differences(ours, theirs)


def sequence(rng: np.random.Generator, sizes: Sizes, width: int | None = None) -> Arrays:
    """One input, "x", of the common width or another one."""
    return {"x": rng.normal(size=(sizes.batch, sizes.steps, width or sizes.width))}
