"""What the figures of Plotly share: their frame and scales, their texts and colours."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

import plotly.graph_objects as go

from seqexp.analysis.looks import INK, MUTED, PAPER, RULE


def figure(
    traces: Iterable[dict[str, Any]],
    xaxis: dict[str, Any],
    yaxis: dict[str, Any],
    shapes: list[dict[str, Any]],
) -> go.Figure:
    """The traces on their axes. A second vertical axis, "y2", goes from 0 to 1 and is not seen."""
    layout = {
        "template": "none",
        "paper_bgcolor": PAPER,
        "plot_bgcolor": PAPER,
        "font": {"color": INK, "size": 12},
        "margin": {"l": 70, "r": 20, "t": 26, "b": 60},
        "legend": {"orientation": "h", "x": 0, "y": -0.18, "yanchor": "top"},
        "hovermode": "closest",
        "hoverlabel": {"align": "left"},
        "xaxis": xaxis,
        "yaxis": yaxis,
        "yaxis2": {"overlaying": "y", "range": [0, 1], "visible": False, "fixedrange": True},
        "shapes": shapes,
    }
    return go.Figure({"data": [{"type": "scatter", **t} for t in traces], "layout": layout})


def axis(title: str, log: bool, values: Sequence[float]) -> dict[str, Any]:
    """An axis of values; on a logarithmic one 1, 2 and 5 are named, or of more than two
    and a half decades some."""
    decades = math.log10(max(values) / min(values)) if log else 0
    every = {"dtick": "D2" if decades < 2.5 else math.ceil(decades / 8)} if log else {}
    return {
        **every,
        "title": {"text": plain(title), "standoff": 12},
        "type": "log" if log else "linear",
        "gridcolor": RULE,
        "linecolor": MUTED,
        "tickcolor": MUTED,
        "zeroline": False,
        "showline": True,
        "ticks": "outside",
        "exponentformat": "power",
        "minexponent": 4,
    }


def view(
    baselines: Mapping[str, float], values: Sequence[float], log: bool, within: Iterable[float] = ()
) -> tuple[list[float] | None, list[dict[str, Any]]]:
    """The range of an axis of scores, and lines for those that need no model, where they are so
    near that they do not press the data together.

    `within` should be seen, but does not scale the axis.
    """
    if not values:
        return None, []

    def scaled(value: float) -> float:
        if not log:
            return value
        return math.log10(value) if value > 0 else -math.inf

    low, high = scaled(min(values)), scaled(max(values))
    near = {k: y for k, y in baselines.items() if 2 * low - high <= scaled(y) <= 2 * high - low}
    floor = min(values) / 3 if log else -math.inf
    seen = [scaled(y) for y in [*values, *(max(y, floor) for y in within), *near.values()]]
    margin = 0.07 * (max(seen) - min(seen)) or (0.3 if log else abs(high) / 2 or 1)
    line = {"color": MUTED, "width": 1, "dash": "dash"}
    shapes = [
        {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": y, "y1": y}
        | {"line": line, "layer": "below"}
        | {"label": {"text": plain(name), "textposition": "end", "font": {"color": MUTED}}}
        for name, y in near.items()
    ]
    return [min(seen) - margin, max(seen) + margin], shapes


def known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def wide(values: Sequence[float]) -> bool:
    """Whether an axis is logarithmic: where data span more than a decade, above zero."""
    return bool(values) and min(values) > 0 and max(values) > 10 * min(values)


def plain(text: str) -> str:
    """A text as plotly's markup."""
    return escape(text, quote=False).replace("\n", "<br>")


def hover_text(y: str, x: str) -> str:
    return f"%{{text}}<br>{plain(y)}: %{{y:.5~g}}<br>{plain(x)}: %{{x:,.5~g}}<extra></extra>"


def colour_of(look: Mapping[str, Any]) -> str:
    return look["colour"] or INK


def transparent(colour: str, opacity: float) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"


def cross(colour: str) -> dict[str, Any]:
    return {"color": colour, "symbol": "x-thin", "size": 9, "line": {"color": colour, "width": 2}}
