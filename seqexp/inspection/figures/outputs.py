"""Figures of what a model gives, and of which inputs that depends on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis

from seqexp.analysis.looks import COLOURS, MUTED, PAPER
from seqexp.inspection.figures.panel import SHARES, at, entitle, heat_map, whole_numbers

WORDS = 30
"""Up to so many tokens are written beside an attention map."""

WRITTEN = 12
"""Up to so many classes a confusion matrix has its numbers written in it."""

BINS = 40
"""Of a histogram of outputs."""


def draw_saliency(ax: Axes, saliency: np.ndarray, mask: np.ndarray, step: int) -> None:
    """How much each input accounts for in the output, `[n, T]`, a row an example."""
    shown = np.where(mask, saliency, np.nan)
    shown = shown[:, : np.flatnonzero(mask.any(0)).max(initial=0) + 1]
    finite = np.abs(shown[np.isfinite(shown)])
    most = float(finite.max()) if finite.size and finite.max() > 0 else 1.0
    examples, steps = shown.shape
    extent = (0.5, steps + 0.5, examples + 0.5, 0.5)
    said = "integrated gradient, units of the output"
    heat_map(ax, shown, said, limits=(-most, most), extent=extent, upwards=False)
    whole_numbers(ax.yaxis)
    ax.set(xlabel="time step", ylabel="validation example")
    entitle(ax, "Share of each input in the output", at(step))


def draw_confusion(ax: Axes, counts: np.ndarray, step: int) -> None:
    """Which class is taken for which, `[C, C]` counts, rows the true classes."""
    totals = counts.sum(1, keepdims=True)
    shares = np.divide(counts, totals, out=np.full(counts.shape, np.nan), where=totals > 0)
    heat_map(ax, shares, "share of the true class", limits=(0, 1), colours=SHARES, upwards=False)
    classes = len(counts)
    if classes <= WRITTEN:
        ax.set_xticks(range(classes))
        ax.set_yticks(range(classes))
        for row, column in np.ndindex(counts.shape):
            dark = not shares[row, column] > 0.5
            blank = np.isnan(shares[row, column])
            colour = MUTED if blank else (PAPER if dark else "#000000")
            text = f"{counts[row, column]:,.0f}"
            ax.text(column, row, text, ha="center", va="center", color=colour, fontsize=6)
    ax.set(xlabel="predicted class", ylabel="true class")
    right = np.trace(counts) / counts.sum() if counts.sum() else float("nan")
    told = [f"{100 * right:.0f} % right"] if np.isfinite(right) else []
    entitle(ax, "Confusion of classes", *told, at(step))


def draw_attention(
    ax: Axes,
    weights: np.ndarray,
    step: int,
    tokens: tuple[Sequence[str], Sequence[str]] | None = None,
) -> None:
    """Which step of its source each step of an answer attends to, `[U, T]`, from the top down.

    Steps that attend to nothing are padding.

    Args:
        ax: to draw on.
        weights: of one example.
        step: of training.
        tokens: of the source and of the answer, which stand at their steps where there is room.
    """
    rows = np.flatnonzero(np.nan_to_num(weights).any(1)).max(initial=0) + 1
    columns = np.flatnonzero(np.nan_to_num(weights).any(0)).max(initial=0) + 1
    extent = (0.5, columns + 0.5, rows + 0.5, 0.5)
    shown = weights[:rows, :columns]
    heat_map(ax, shown, "weight", limits=(0, 1), colours=SHARES, extent=extent, upwards=False)
    ax.set(xlabel="step of the source", ylabel="step of the answer")
    entitle(ax, "Attention, the first validation example", at(step))
    source, answer = tokens or ((), ())
    _name_steps(ax.xaxis, columns, source, rotation=60)
    _name_steps(ax.yaxis, rows, answer)


def _name_steps(axis: Axis, steps: int, tokens: Sequence[str], rotation: float = 0) -> None:
    """Tokens as ticks, each at its step; numbers where they are too many, or not known."""
    if steps > min(len(tokens), WORDS):
        whole_numbers(axis)
        return
    words = [token.replace("▁", "") for token in tokens[:steps]]  # of byte pairs: a word begins
    axis.set_ticks(range(1, steps + 1), words, rotation=rotation, fontsize=6.5)


def draw_predictions(
    ax: Axes, outputs: np.ndarray, targets: np.ndarray, step: int
) -> dict[str, Any]:
    """Each output against its target, arrays of one shape; on the line they agree. Where targets
    are 0 or 1, as of keys that are off or on, how outputs are distributed at each.

    Returns:
        A handle for each of these distributions.
    """
    known = np.isfinite(outputs) & np.isfinite(targets)
    x, y = targets[known].ravel(), outputs[known].ravel().astype(float)
    values = np.unique(x)
    if len(values) and np.isin(values, (0, 1)).all():
        entitle(ax, "Outputs by target", "validation examples", at(step))
        ax.set(xlabel="output", ylabel="share of the outputs at a target")
        edges = np.histogram_bin_edges(y, BINS)
        handles = {}
        for value, colour in zip(values, COLOURS, strict=False):
            own = y[x == value]
            shares = np.histogram(own, edges)[0] / len(own)
            handles[f"target {value:g} ({len(own):,})"] = ax.stairs(
                shares, edges, color=colour, linewidth=1.6
            )
        return handles
    ends = (min([*x, *y], default=0.0), max([*x, *y], default=1.0))
    ax.plot(ends, ends, color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
    ax.plot(x, y, "o", color=COLOURS[0], markersize=4, alpha=0.6)
    ax.set(xlabel="target", ylabel="output")
    entitle(ax, "Predictions against targets", "validation examples", at(step))
    return {}
