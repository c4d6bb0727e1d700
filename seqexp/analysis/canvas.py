"""What all figures share: their style, their scales, their baselines, and how they become files.

A file is the same byte for byte for the same records. In an SVG text stays text, and ink, rules and
paper have the colours of `looks`, so that a page can put its own in their place. A PDF carries its
font, as publishers ask.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Mapping
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from seqexp.analysis.font import families
from seqexp.analysis.looks import INK, MUTED, PAPER, RULE
from seqexp.analysis.notation import digits, tick

STYLE: dict[Any, Any] = {
    "pdf.fonttype": 42,  # TrueType: journals refuse the default, Type 3
    "svg.fonttype": "none",
    "font.family": families(),  # made of what matplotlib has: the layout is the same everywhere
    "font.size": 8,
    "axes.edgecolor": MUTED,
    "axes.facecolor": PAPER,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.facecolor": PAPER,
    "grid.color": RULE,
    "grid.linewidth": 0.5,
    "legend.columnspacing": 1.5,
    "legend.frameon": False,
    "text.color": INK,
    "text.parse_math": False,  # a name may hold a $
    "xtick.color": MUTED,
    "xtick.labelcolor": INK,
    "xtick.major.width": 0.6,
    "xtick.minor.size": 0,
    "ytick.color": MUTED,
    "ytick.labelcolor": INK,
    "ytick.major.width": 0.6,
    "ytick.minor.size": 0,
}
POINTS_PER_INCH, POINTS_PER_LETTER, POINTS_PER_LINE = 72, 4.6, 12


def draw(width: float, height: float) -> tuple[Figure, Axes]:
    """An empty figure of a size in points; to be used inside `matplotlib.rc_context(STYLE)`."""
    size = (width / POINTS_PER_INCH, height / POINTS_PER_INCH)
    figure = Figure(figsize=size, layout="constrained")
    return figure, figure.add_subplot()


def svg(figure: Figure, name: str) -> str:
    """The figure as SVG. `name` salts the ids in it, so that figures can share a page."""
    file = io.StringIO()
    undated = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    with matplotlib.rc_context({"svg.hashsalt": name}):
        FigureCanvasSVG(figure).print_svg(file, metadata=undated)
    return file.getvalue()


def pdf(figure: Figure) -> bytes:
    """The figure as PDF, undated; after `svg`, whose layout it has."""
    figure.set_layout_engine("none")
    file = io.BytesIO()
    FigureCanvasPdf(figure).print_pdf(
        file, metadata=dict.fromkeys(("CreationDate", "Creator", "Producer"))
    )
    return file.getvalue()


def fit_x(ax: Axes, values: Iterable[float], within: Iterable[float] = ()) -> None:
    """Fit the horizontal axis to the data, see `_range`."""
    low, high, logarithmic = _range(values, within)
    ax.set_xscale("log" if logarithmic else "linear")
    ax.set_xlim(low, high)
    set_ticks(ax.xaxis, low, high, logarithmic)


def fit_y(ax: Axes, values: Iterable[float], within: Iterable[float] = ()) -> None:
    """Fit the vertical axis to the data, see `_range`."""
    low, high, logarithmic = _range(values, within)
    if logarithmic:
        ax.set_yscale("log", nonpositive="clip")
    ax.set_ylim(low, high)
    set_ticks(ax.yaxis, low, high, logarithmic)


def set_steps_x(ax: Axes, values: Iterable[float]) -> None:
    """A logarithmic horizontal axis with a tick at each of a few values that were tried."""
    tried = sorted(set(values))
    margin = (tried[-1] / tried[0]) ** 0.06 if len(tried) > 1 else 2
    shown = tried[:: -(-len(tried) // 8)]
    ax.set_xscale("log")
    ax.set_xlim(tried[0] / margin, tried[-1] * margin)
    ax.set_xticks(shown, [tick(float(f"{value:.2g}")) for value in shown])
    ax.minorticks_off()


def mark_baselines(ax: Axes, baselines: Mapping[str, float]) -> None:
    """A dashed line for each score that needs no model, with its name; after `fit_y`.

    The view is widened for them, at most to its double. What lies further off would press the data
    together, and is named at the edge, with its value and an arrow.
    """
    to_view = ax.transScale + ax.transLimits  # the view is from 0 to 1
    heights = {name: to_view.transform((1, value))[1] for name, value in baselines.items()}
    near = [height for height in heights.values() if -1 <= height <= 2]
    ends = [(1, min([0, *(height - 0.06 for height in near)]))]
    ends += [(1, max([1, *(height + 0.08 for height in near)]))]
    ax.set_ylim(*to_view.inverted().transform(ends)[:, 1])
    for i, (name, value) in enumerate(baselines.items()):
        at, above, arrow = value, True, ""
        if heights[name] > 2:
            at, above, arrow = ax.get_ylim()[1], False, f" {digits(value)} ↑"
        elif heights[name] < -1:
            at, above, arrow = ax.get_ylim()[0], True, f" {digits(value)} ↓"
        else:
            ax.axhline(value, color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
        ax.annotate(
            name + arrow,
            (1 - i % 2, at),  # by turns at both ends, so that two are legible
            xytext=(0, 2 if above else -2),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            ha="left" if i % 2 else "right",
            va="bottom" if above else "top",
            color=MUTED,
            fontsize=7,
            bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 0.3},
            zorder=1.2,  # below the data
        )


def add_legend(figure: Figure, handles: Mapping[str, Line2D]) -> None:
    """Make room for a legend below the plot, which keeps its size, and write it there."""
    if not handles:
        return
    letters = max(len(label) for label in handles) + 7  # with the line before the name
    fitting = int(figure.get_figwidth() * POINTS_PER_INCH / (letters * POINTS_PER_LETTER))
    columns = max(1, min(fitting, len(handles)))
    room = (-(-len(handles) // columns) * POINTS_PER_LINE + 6) / POINTS_PER_INCH
    plot = figure.get_figheight()
    figure.set_figheight(plot + room)
    below = room / (plot + room)
    figure.set_layout_engine("constrained", rect=(0, below, 1, 1 - below))
    figure.legend(
        *(list(handles.values()), list(handles)),
        loc="upper center",
        bbox_to_anchor=(0.5, below),
        borderaxespad=0,
        ncols=columns,
    )


def _range(values: Iterable[float], within: Iterable[float]) -> tuple[float, float, bool]:
    """The ends of an axis, and whether it is logarithmic: where data span a decade, above 0.

    `within` is what else should be seen, such as the ends of intervals, but does not decide how the
    data are scaled; on a logarithmic axis it is followed no further than a third of the least.
    """
    data = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
    low, high = min(data), max(data)
    logarithmic = low > 0 and high > 10 * low
    floor = low / 3 if logarithmic else -math.inf
    more = [max(value, floor) for value in within if math.isfinite(value)]
    low, high = min([low, *more]), max([high, *more])
    if logarithmic:
        margin = (high / low) ** 0.06
        return low / margin, high * margin, True
    margin = 0.06 * (high - low) or abs(high) / 2 or 1.0
    return low - margin, high + margin, False


def set_ticks(axis: Axis, low: float, high: float, logarithmic: bool) -> None:
    """Few ticks, plainly written; on a logarithmic axis 1, 2 and 5 where there are few decades."""
    if logarithmic:
        axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 300 * low else (1,)))
        axis.set_minor_formatter(NullFormatter())
    else:
        axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    axis.set_major_formatter(FuncFormatter(lambda value, _: tick(value)))
