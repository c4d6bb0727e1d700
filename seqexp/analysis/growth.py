"""How costs grow with the length of sequences and the width of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator
from scipy import stats

from seqexp.analysis import canvas
from seqexp.analysis.axes import GROWING, Axis
from seqexp.analysis.figures import Figure, file_name
from seqexp.analysis.looks import Look
from seqexp.analysis.notation import tick
from seqexp.analysis.statistics import CONFIDENCE

VARIED = {"length": "sequence length T, steps", "width": "width H, units"}
"""What is varied, by the name of its column, and what it is called beside an axis."""

SYMBOLS = {"length": "T", "width": "H"}
"""How it is written in an equation."""

LEAST = 4
"""Sizes that are enough to leave smaller ones out: of three, the interval tells nothing."""

PANEL = (250, 150)


class Growth(NamedTuple):
    """A power law through costs: cost = scale size^exponent.

    Attributes:
        exponent: the slope over logarithms.
        half: half-width of its 95 % interval; NaN for two sizes.
        r_squared: share of the variance of log cost that it explains; NaN where costs are equal.
        scale: the cost at size 1.
        smallest: the least size that was fitted.
        largest: the greatest.
        n: how many sizes were fitted.
    """

    exponent: float
    half: float
    r_squared: float
    scale: float
    smallest: float
    largest: float
    n: int


def fit_growth(sizes: np.ndarray, costs: np.ndarray) -> Growth | None:
    """Fit the exponent that costs grow with, by least squares over logarithms.

        log cost = log scale + exponent log size

    over the upper half of the range of log size if it holds four sizes or more, for at small sizes
    what does not grow (the call, the loop, the optimizer) is much of a cost; over all sizes if not.
    The interval is Student's, for n - 2 degrees of freedom, and takes deviations to be independent.

    Args:
        sizes: `[N]`, above 0.
        costs: `[N]`; what is not a finite number above 0 is left out.

    Returns:
        None for fewer than two sizes.
    """
    known = np.isfinite(costs) & (costs > 0)
    sizes, costs = sizes[known], costs[known]
    if len(set(sizes)) < 2:
        return None
    upper = sizes >= np.sqrt(sizes.min() * sizes.max())
    if len(set(sizes[upper])) >= LEAST:
        sizes, costs = sizes[upper], costs[upper]
    line: Any = stats.linregress(np.log(sizes), np.log(costs))
    n, equal = len(sizes), bool(np.ptp(costs) == 0)
    quantile = stats.t.ppf((1 + CONFIDENCE) / 2, n - 2) if n > 2 else np.nan
    return Growth(
        exponent=float(line.slope),
        half=float(quantile * (0 if equal else line.stderr)),
        r_squared=np.nan if equal else float(line.rvalue**2),
        scale=float(np.exp(line.intercept)),
        smallest=float(sizes.min()),
        largest=float(sizes.max()),
        n=n,
    )


def exponents(measured: pd.DataFrame) -> pd.DataFrame:
    """The growth of each cost of each model, in whatever was varied.

    Args:
        measured: one row a measurement: the `task`, the `label` of the model, what was `varied`
            ("length" or "width"), the `length`, the `width`, and costs by their names in cost.json.

    Returns:
        One row a task, varied size, label and cost: `task`, `varied`, `label`, `cost`, and the
        fields of `Growth`. Costs that are not known at two sizes have none.
    """
    rows = []
    for _, own in measured.groupby(["task", "varied", "label"], sort=False):
        task, varied, label = own[["task", "varied", "label"]].iloc[0]
        for axis in GROWING:
            fit = fit_growth(_floats(own[varied]), _floats(own[axis.key]))
            if fit is not None:
                rows.append((task, varied, label, axis.key, *fit))
    columns = ["task", "varied", "label", "cost", *Growth._fields]
    return pd.DataFrame(rows, columns=pd.Index(columns))


def growth_figures(
    measured: pd.DataFrame, fits: pd.DataFrame, looks: Mapping[str, Look]
) -> list[Figure]:
    """On each task, every growing cost against what was varied, with the fitted power laws, dashed.

    Args:
        measured: as `exponents` takes it.
        fits: as `exponents` gives it.
        looks: of each label.
    """
    return [
        _figure(str(task), measured.loc[measured["task"] == task], own, looks)
        for task, own in fits.groupby("task", sort=False)
    ]


def _figure(
    task: str, measured: pd.DataFrame, fits: pd.DataFrame, looks: Mapping[str, Look]
) -> Figure:
    columns = [name for name in VARIED if name in set(measured["varied"])]
    axes = [axis for axis in GROWING if np.isfinite(_floats(measured[axis.key])).any()]
    size = PANEL[0] * len(columns), PANEL[1] * len(axes)
    with matplotlib.rc_context(canvas.STYLE):
        inches = [side / canvas.POINTS_PER_INCH for side in size]
        drawing = Drawing(figsize=(inches[0], inches[1]), layout="constrained")
        panels = drawing.subplots(len(axes), len(columns), squeeze=False)
        handles: dict[str, Line2D] = {}
        for row, axis in zip(panels, axes, strict=True):
            for ax, name in zip(row, columns, strict=True):
                lines = measured.loc[measured["varied"] == name]
                own = fits.loc[(fits["varied"] == name) & (fits["cost"] == axis.key)]
                handles |= _panel(ax, axis, name, lines, own, looks)
        canvas.add_legend(drawing, handles)
        caption = f"Costs on {task} against " + " and ".join(VARIED[name] for name in columns)
        name = file_name(task, "growth")
        return Figure(name, caption, canvas.svg(drawing, name), canvas.pdf(drawing), *size)


def _panel(
    ax: Axes,
    axis: Axis,
    varied: str,
    measured: pd.DataFrame,
    fits: pd.DataFrame,
    looks: Mapping[str, Look],
) -> dict[str, Line2D]:
    """One cost against one size; the exponents stand at the top, in the colours of their models."""
    ax.set(xlabel=VARIED[varied], ylabel=axis.label)
    handles: dict[str, Line2D] = {}
    for label, look in looks.items():
        mine = measured.loc[measured["label"] == label]
        if mine.empty:
            continue
        [handles[label]] = ax.plot(
            mine[varied],
            _floats(mine[axis.key]) * axis.scale,
            color=look.colour,
            marker=look.marker,
            markersize=4,
            linewidth=1,
        )
        for fit in fits.loc[fits["label"] == label].to_dict("records"):
            sizes = np.array([fit["smallest"], fit["largest"]])
            law = axis.scale * fit["scale"] * sizes ** fit["exponent"]
            dashed = {"linestyle": (0, (4, 3)), "linewidth": 1.6, "alpha": 0.5}
            ax.plot(sizes, law, color=look.colour, **dashed)
            ax.annotate(
                written(fit["exponent"], fit["half"]),
                (0, 1),
                xytext=(4, -4 - 9 * (len(handles) - 1)),
                xycoords="axes fraction",
                textcoords="offset points",
                va="top",
                color=look.colour,
                fontsize=7,
            )
    _logarithmic(ax, sorted(set(measured[varied])))
    return handles


def _logarithmic(ax: Axes, sizes: list[int]) -> None:
    """Both axes; with a tick at the sizes that were tried, and room for the exponents."""
    ax.set_xscale("log")
    shown = sizes[:: -(-len(sizes) // 8)]
    ax.set_xticks(shown, [f"{size:,}" for size in shown])
    ax.set_yscale("log")
    low, high = ax.get_ylim()
    ax.set_ylim(low, high * (high / low) ** 0.3)
    fine = high < 300 * low
    ax.yaxis.set_major_locator(
        LogLocator(subs=(1, 2, 5) if fine else (1,)) if high > 10 * low else MaxNLocator(4)
    )
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: tick(float(f"{value:.3g}"))))
    ax.minorticks_off()


def to_text(fits: pd.DataFrame) -> str:
    """The exponents for a terminal: a table for each task and size that was varied."""
    parts = []
    for _, rows in fits.groupby(["task", "varied"], sort=False):
        task, varied = rows[["task", "varied"]].iloc[0]
        known = [axis for axis in GROWING if axis.key in set(rows["cost"])]
        cells = [["", *(axis.heading.lower() for axis in known)]]
        cells.append(["", *(axis.unit for axis in known)])
        for label, own in rows.groupby("label", sort=False):
            found = {fit["cost"]: fit for fit in own.to_dict("records")}
            exponent = [
                written(found[axis.key]["exponent"], found[axis.key]["half"])
                if axis.key in found
                else "–"
                for axis in known
            ]
            cells.append([str(label), *exponent])
        smallest, largest = rows["smallest"].min(), rows["largest"].max()
        parts.append(
            f"{task}: exponent e of cost ~ {varied}^e, fitted from {smallest:,.0f} to "
            f"{largest:,.0f} (n = {rows['n'].max()}, 95 % interval)\n{aligned(cells)}"
        )
    return "\n\n".join(parts)


def _floats(column: Any) -> np.ndarray:
    """NaN where a cost is not known."""
    return np.asarray(column, dtype=float)


def written(exponent: float, half: float) -> str:
    """An exponent with its interval: 0.97 ± 0.02."""
    # -0.00 reads oddly.
    text = f"{exponent + 0.0 if abs(exponent) >= 0.005 else 0.0:.2f}"
    return text if np.isnan(half) else f"{text} ± {half:.2f}"


def aligned(cells: Sequence[Sequence[str]]) -> str:
    """Rows of a table as text: names to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = []
    for name, *numbers in cells:
        line = f"  {name:{widths[0]}}"
        for number, width in zip(numbers, widths[1:], strict=True):
            line += f"  {number:>{width}}"
        lines.append(line.rstrip())
    return "\n".join(lines)
