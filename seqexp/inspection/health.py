"""What is wrong with a training, in words, from figures of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

SATURATED = 0.5
"""The share of saturated units from which a layer is worth a warning."""

DEAD = 0.5
"""The share of dead units, likewise."""

VANISHED, EXPLODED = 1e-4, 1e4
"""How much of a gradient's norm is left, or has become of it, at the far end of a sequence."""

SMALL_UPDATE, LARGE_UPDATE = 1e-4, 1e-1
"""What an update usually is of the parameters, in norm, lies between them; about 1e-3 is best
(Karpathy, https://cs231n.github.io/neural-networks-3/#ratio)."""


class Figures(NamedTuple):
    """What is known of a training at a step, each by the name of a layer or a part.

    Attributes:
        saturated: the share of units that are at the bounds of an activation, 0 to 1.
        dead: the share of units that don't vary.
        gradient_reach: the norm of the gradient at the farthest lag, over that at lag 0.
        update_ratio: the norm of the update over that of the parameters.
    """

    saturated: Mapping[str, float] = {}
    dead: Mapping[str, float] = {}
    gradient_reach: Mapping[str, float] = {}
    update_ratio: Mapping[str, float] = {}


def warnings(figures: Figures) -> list[str]:
    """A sentence for each figure that is past its threshold, and what to try; [] for none.

    NaN is past none, for it is unknown.

    >>> warnings(Figures(saturated={"layer_1": 0.93, "layer_2": 0.1}))
    ['layer_1 saturated: 93 % of units; try a smaller recurrent initialisation or inputs of less \
variance']
    """
    return [
        *(
            f"{name} saturated: {_percent(share)} of units; try a smaller recurrent initialisation "
            "or inputs of less variance"
            for name, share in figures.saturated.items()
            if share >= SATURATED
        ),
        *(
            f"{name} dead: {_percent(share)} of units don't vary; try a smaller learning rate, or "
            "tanh in the place of ReLU"
            for name, share in figures.dead.items()
            if share >= DEAD
        ),
        *(
            warning
            for name, reach in figures.gradient_reach.items()
            if (warning := _gradient_warning(name, reach))
        ),
        *(
            warning
            for name, ratio in figures.update_ratio.items()
            if (warning := _update_warning(name, ratio))
        ),
    ]


def _gradient_warning(name: str, reach: float) -> str | None:
    if reach < VANISHED:
        return (
            f"{name}'s gradient vanishes: {reach:.1g} of it reaches the first step; try a gated "
            "cell, a forget bias of 1 or more, or an orthogonal recurrent initialisation"
        )
    if reach > EXPLODED:
        return (
            f"{name}'s gradient explodes: it grows {reach:.1g} times up to the first step; try to "
            "clip gradients at a norm of 1, or a smaller recurrent initialisation"
        )
    return None


def _update_warning(name: str, ratio: float) -> str | None:
    if ratio < SMALL_UPDATE:
        return f"{name} hardly moves: updates are {ratio:.1g} of it; try a larger learning rate"
    if ratio > LARGE_UPDATE:
        return f"{name} moves too far: updates are {ratio:.1g} of it; try a smaller learning rate"
    return None


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
