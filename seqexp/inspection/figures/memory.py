"""Figures of memory: what is decoded of past inputs, and how long a change of one is felt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from seqexp.analysis import canvas
from seqexp.analysis.looks import COLOURS
from seqexp.analysis.notation import digits
from seqexp.inspection.figures.panel import at, entitle


def draw_memory(
    ax: Axes, curves: Mapping[str, np.ndarray], capacities: Mapping[str, float], step: int
) -> dict[str, Any]:
    """How well a linear readout of each layer's state tells the input k steps ago.

    Args:
        ax: to draw on.
        curves: of each layer `[K + 1]`, for the lags 0 .. K: 1 for exactly, 0 for not at all.
        capacities: of each layer the sum, where it is known.
        step: of training.

    Returns:
        A handle for each layer.
    """
    handles = {}
    for (layer, curve), colour in zip(curves.items(), _colours(curves), strict=True):
        capacity = capacities.get(layer, float("nan"))
        told = f", capacity {digits(capacity)}" if np.isfinite(capacity) else ""
        handles[layer + told] = _curve(ax, curve, colour)
    ax.set(xlabel="lag k, steps", ylabel="decoded of the input at t − k", ylim=(-0.05, 1.05))
    entitle(ax, "Memory of past inputs", "1: exactly, 0: not at all", at(step))
    return handles


def draw_perturbation(ax: Axes, traces: Mapping[str, np.ndarray], step: int) -> dict[str, Any]:
    """How far each layer's state is moved k steps after a small change of one input, `[K + 1]`."""
    handles = {}
    canvas.fit_y(ax, [value for trace in traces.values() for value in trace if value > 0])
    for (layer, trace), colour in zip(traces.items(), _colours(traces), strict=True):
        handles[layer] = _curve(ax, np.where(trace > 0, trace, np.nan), colour)
    ax.set(xlabel="steps after the change", ylabel="Euclidean distance of states")
    entitle(ax, "Trace of a change of one input", at(step))
    return handles


def _curve(ax: Axes, values: np.ndarray, colour: str) -> Any:
    [line] = ax.plot(np.arange(len(values)), values, color=colour, linewidth=1.6)
    if np.isfinite(values).sum() == 1:
        line.set(marker="o", markersize=4)
    return line


def _colours(named: Mapping[str, Any]) -> list[str]:
    return [COLOURS[i % len(COLOURS)] for i in range(len(named))]
