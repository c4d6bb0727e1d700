"""Figures over training: what inspections tell in a number of each layer or part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes

from seqexp.analysis import canvas
from seqexp.analysis.looks import COLOURS, LINES
from seqexp.inspection.figures.panel import entitle


class Scalar(NamedTuple):
    """A kind of number in the lines of inspections: its title, and its axis with the unit."""

    title: str
    axis: str


SCALARS: Mapping[str, Scalar] = {
    "half_life": Scalar("Half-life of the gradient", "half-life, steps"),
    "memory_capacity": Scalar("Memory capacity", "inputs remembered"),
    "effective_rank": Scalar("Effective rank of the states", "effective rank, dimensions"),
    "participation_ratio": Scalar("Participation ratio of the states", "dimensions"),
    "saturated": Scalar("Saturated units", "share of units"),
    "dead": Scalar("Dead units", "share of units"),
    "largest_lyapunov": Scalar("Largest Lyapunov exponent", "nats a step"),
    "gradient_norm": Scalar("Gradient norms by part", "Euclidean norm"),
    "update_norm": Scalar("Update norms by part", "Euclidean norm"),
    "parameter_norm": Scalar("Parameter norms by part", "Euclidean norm"),
    "update_ratio": Scalar("Updates against parameters", "ratio of norms"),
}
"""In the order in which they are shown."""

SHARED = ("saturated", "dead")
"""Shares, which are seen from 0 to 1."""


def draw_over_training(
    ax: Axes, kind: str, steps: Sequence[int], curves: Mapping[str, Sequence[float]]
) -> dict[str, Any]:
    """A number of each layer or part over the steps of training; gaps where it was not finite.

    Args:
        ax: to draw on.
        kind: one of `SCALARS`.
        steps: of the inspections.
        curves: by layer or part, as many as there are steps.

    Returns:
        A handle for each of them.
    """
    scalar, handles = SCALARS[kind], {}
    canvas.fit_y(ax, [value for curve in curves.values() for value in curve])
    for i, (name, curve) in enumerate(curves.items()):
        look = {"color": COLOURS[i % len(COLOURS)], "linestyle": LINES[i // len(COLOURS) % 4]}
        values = np.asarray(curve, float)
        [handles[name]] = ax.plot(steps, values, linewidth=1.4, marker="o", markersize=3, **look)
    if kind in SHARED:
        ax.set_ylim(-0.03, 1.03)
    canvas.fit_x(ax, [0, *steps])
    ax.set(xlabel="training step", ylabel=scalar.axis)
    entitle(ax, scalar.title, "over training")
    return handles
