"""Figures of a layer's gates: how they are distributed, saturate, and how long they keep."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes

from seqexp.analysis import canvas
from seqexp.analysis.looks import COLOURS, MARKERS
from seqexp.inspection.figures.panel import SHARES, at, entitle, heat_map
from seqexp.inspection.saturation import MARGIN

SPOKEN = {name: f"{name} gate" for name in ("input", "forget", "output", "reset", "update")}
SPOKEN |= {"hidden": "hidden state", "memory": "memory cell"}
"""What activations are called in a sentence."""


class Gate(NamedTuple):
    """An activation of a layer.

    Attributes:
        values: `[n, T, H]`.
        mask: `[n, T]`, True where a step is real.
        bounds: `[2]`, the lower and the upper one; infinite for none.
    """

    values: np.ndarray
    mask: np.ndarray
    bounds: np.ndarray


def draw_histogram(
    ax: Axes, shares: np.ndarray, bounds: np.ndarray, gate: str, layer: str, step: int
) -> None:
    """How an activation is distributed at each step of a sequence.

    Args:
        ax: to draw on.
        shares: `[T, bins]`, of the units.
        bounds: `[2]`, where the first bin begins and the last one ends.
        gate: its name.
        layer: the layer's name.
        step: of training.
    """
    reached = np.flatnonzero(np.nan_to_num(shares).any(1)).max(initial=0) + 1
    extent = (0.5, reached + 0.5, float(bounds[0]), float(bounds[1]))
    said = "share of units and examples"
    heat_map(ax, shares[:reached].T, said, limits=(0, _most(shares)), colours=SHARES, extent=extent)
    ax.set(xlabel="time step", ylabel=_spoken(gate))
    entitle(ax, f"Distribution of the {_spoken(gate)} over time", layer, at(step))


def draw_saturation(ax: Axes, gates: Mapping[str, Gate], layer: str, step: int) -> dict[str, Any]:
    """Each unit by the share of steps at the lower and at the upper bound of each activation.

    After Karpathy et al. 2015, figure 2, https://arxiv.org/abs/1506.02078. A unit in the upper left
    corner is always at its upper bound: a forget gate there never forgets.

    Returns:
        A handle for each gate.
    """
    handles = {}
    for i, (name, gate) in enumerate(gates.items()):
        low, high = (_share(gate, side) for side in (0, 1))
        marker, _ = MARKERS[i % len(MARKERS)]
        [handles[_spoken(name)]] = ax.plot(
            *(low, high, marker),
            color=COLOURS[i % len(COLOURS)],
            markersize=4,
            alpha=0.6,
            clip_on=False,
        )
    ax.plot([0, 1], [1, 0], color=canvas.MUTED, linewidth=0.6, zorder=1)
    ax.set(xlim=(0, 1), ylim=(0, 1), xlabel="share of steps at the lower bound")
    ax.set_ylabel("share at the upper bound")
    entitle(ax, "Saturation of each unit", layer, at(step))
    return handles


def draw_time_constants(ax: Axes, constants: np.ndarray, layer: str, step: int) -> None:
    """How long each unit of a layer keeps what it holds, `[H]` in steps, the longest first.

    What is infinite stands at the upper edge.
    """
    order = np.sort(constants[~np.isnan(constants)])[::-1]
    finite = np.isfinite(order)
    canvas.fit_y(ax, order[finite & (order > 0)])
    places = 1 + np.arange(len(order))
    colour = COLOURS[0]
    ax.plot(places[finite], order[finite], "o", color=colour, markersize=3)
    if not finite.all():
        edge = np.ones((~finite).sum())
        above = ax.get_xaxis_transform()
        ax.plot(places[~finite], edge, "^", color=colour, transform=above, clip_on=False)
    ax.set_xlim(0, max(len(order), 1) + 1)
    ax.set(xlabel="unit, the longest first", ylabel="time constant, steps")
    endless = [f"{(~finite).sum()} without end"] if not finite.all() else []
    entitle(ax, "How long units keep their state", layer, at(step), *endless)


def _spoken(name: str) -> str:
    return SPOKEN.get(name, name.replace("_", " "))


def _share(gate: Gate, side: int) -> np.ndarray:
    """Of each unit the share of true steps at its lower (0) or upper (1) bound, `[H]`."""
    rows, bound = gate.values[gate.mask], gate.bounds[side]
    hit = rows <= bound + MARGIN if side == 0 else rows >= bound - MARGIN
    return hit.mean(0) if len(rows) else np.full(gate.values.shape[-1], np.nan)


def _most(shares: np.ndarray) -> float:
    """The share of the last colour: at the first steps all units may be in one bin, which would
    press the rest together."""
    each = np.nan_to_num(shares).max(1)
    most = float(np.quantile(each[each > 0], 0.9)) if (each > 0).any() else 1.0
    return most
