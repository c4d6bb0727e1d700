"""Figures of hidden states: their values over time, and their paths on two principal components."""

from __future__ import annotations

from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from seqexp.analysis.looks import COLOURS, MUTED
from seqexp.analysis.notation import tick
from seqexp.inspection.figures.panel import COLOUR_MAP, at, entitle, heat_map, scale
from seqexp.inspection.figures.shared import Layer

MOST = 16
"""So many sequences' paths are drawn."""

COUNTED = len(COLOURS)
"""So many labels or tokens have a colour each; more have a scale."""


def draw_states(
    ax: Axes, states: np.ndarray, mask: np.ndarray, layer: Layer, name: str, step: int
) -> None:
    """A layer's states `[T, P]` of one sequence, units in the layer's order, up to its end.

    Args:
        ax: to draw on.
        states: `[T, P]`.
        mask: `[T]`, True where a step is real.
        layer: what all steps share.
        name: of the layer.
        step: of training.
    """
    shown = np.where(mask[:, None], states, np.nan)[: _length(mask), layer.order]
    steps, units = shown.shape
    extent = (0.5, steps + 0.5, 0.5, units + 0.5)
    heat_map(ax, shown.T, "hidden state", limits=layer.states, extent=extent)
    ax.set(xlabel="time step", ylabel="unit, neighbours correlate")
    entitle(ax, "Hidden states, the first validation example", name, at(step))


def draw_paths(
    ax: Axes,
    points: np.ndarray,
    colour: np.ndarray,
    by: str,
    layer: Layer,
    name: str,
    step: int,
) -> dict[str, Any]:
    """The paths of a layer's states on the axes of the last inspection.

    Args:
        ax: to draw on.
        points: `[n, T, 2]`, on the components; NaN at padding.
        colour: `[n, T]`, what a segment is coloured by.
        by: what that is: "time step", "target" or "input".
        layer: what all steps share.
        name: of the layer.
        step: of training.

    Returns:
        A handle for each of a few values; {} where there is a scale.
    """
    assert layer.components is not None
    points, colour = points[:MOST], np.asarray(colour[:MOST], float)
    # A segment ends in the state that its colour belongs to.
    segments = np.stack([points[:, :-1], points[:, 1:]], axis=2).reshape(-1, 2, 2)
    values = colour[:, 1:].reshape(-1)
    real = np.isfinite(segments).all((1, 2)) & np.isfinite(values)
    segments, values = segments[real], values[real]
    few = sorted(set(values.tolist()))
    handles: dict[str, Any] = {}
    if by != "time step" and len(few) <= COUNTED and all(value == int(value) for value in few):
        lines = LineCollection(list(segments), linewidths=0.8, alpha=0.8)
        lines.set_color([COLOURS[few.index(value)] for value in values])
        ax.add_collection(lines)
        for value, own in zip(few, COLOURS, strict=False):
            handles[f"{by} {value:g}"] = Line2D([], [], color=own, linewidth=1.6)
    else:
        ends = (min(few), max(few)) if few else (0.0, 1.0)
        lines = LineCollection(
            list(segments),
            array=values,
            cmap=matplotlib.colormaps[COLOUR_MAP],
            norm=Normalize(*ends),
            linewidths=0.8,
            alpha=0.8,
        )
        ax.add_collection(lines)
        scale(ax, lines, by)
    first = points[:, 0]
    ax.plot(first[:, 0], first[:, 1], "o", color=MUTED, markersize=3, zorder=3)
    _set_limits(ax, layer)
    shares = np.asarray(layer.components.explained)
    ax.set(xlabel=_component(1, shares), ylabel=_component(2, shares))
    entitle(ax, f"Paths of hidden states, by {by} (dot: first step)", name, at(step))
    return handles


def _set_limits(ax: Axes, layer: Layer) -> None:
    for limits, fit in ((layer.across, ax.set_xlim), (layer.along, ax.set_ylim)):
        margin = 0.05 * (limits[1] - limits[0]) or 1.0
        fit(limits[0] - margin, limits[1] + margin)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(5))
        axis.set_major_formatter(lambda value, _: tick(value))


def _component(number: int, shares: np.ndarray) -> str:
    return f"component {number} ({100 * shares[number - 1]:.0f} % of variance)"


def _length(mask: np.ndarray) -> int:
    return int(np.flatnonzero(mask).max(initial=0)) + 1
