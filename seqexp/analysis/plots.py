"""The plots of the page as figures of Plotly, for those who look at a study in wandb."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any

import plotly.graph_objects as go

from seqexp.analysis.looks import MUTED
from seqexp.analysis.pareto import SURE
from seqexp.analysis.plot_parts import (
    axis,
    colour_of,
    cross,
    figure,
    hover_text,
    known,
    plain,
    transparent,
    view,
    wide,
)

BAND_OPACITY, SEED_OPACITY = 0.15, 0.4


def plots(data: Mapping[str, Any]) -> dict[str, go.Figure]:
    """Every plot of the page that shows something, by what it shows.

    The names are "front/<task>/<cost>", "learning/<task>/<time>" and "learning_rate/<task>".
    Colours, symbols and numbers are those of the page; the score is the one that the task is judged
    by, and the scales are the page's first choice.

    Args:
        data: see `explorer.payload`.
    """
    found: dict[str, go.Figure] = {}
    for name, task in data["tasks"].items():
        for cost in dict.fromkeys(cost for model in task["models"] for cost in model["cost"]):
            found[f"front/{name}/{cost}"] = _front(data, task, cost)
        for time in data["times"]:
            if any(known(seed[time]) for curve in task["curves"] for seed in curve["seeds"]):
                found[f"learning/{name}/{time}"] = _learning(data, task, time)
        if any(known(rates["runs"]["valid"]) for rates in task["rates"]):
            found[f"learning_rate/{name}"] = _rates(data, task)
    return found


def _front(data: Mapping[str, Any], task: Mapping[str, Any], cost: str) -> go.Figure:
    """Test scores of one task against one cost, and the Pareto front of their means."""
    score, spent = task["metrics"]["test"]["label"], data["axes"][cost]["label"]
    shown = [
        model
        for model in task["models"]
        if model["metric"]["test"][0] is not None and model["cost"][cost] is not None
    ]
    front = [task["models"][place] for place in task["fronts"]["test"][task["goal"]][cost]]
    x = known(value for m in shown for value in [*_ends(m, cost), *m["runs"]["cost"][cost]])
    means = [[m["metric"]["test"][0], *m["runs"]["metric"]["test"]] for m in shown]
    y = known(value for values in means for value in values)
    traces = []
    if front:
        best = min if task["goal"] == "min" else max
        scores = accumulate((m["metric"]["test"][0] for m in front), best)
        line = list(zip((m["cost"][cost] for m in front), scores, strict=True))
        line.append((max(x), line[-1][1]))
        traces.append(
            {
                "x": [point[0] for point in line],
                "y": [point[1] for point in line],
                "mode": "lines",
                "line": {"shape": "hv", "color": MUTED, "width": 1.5},
                "name": "Pareto front",
                "hoverinfo": "skip",
            }
        )
    hover = hover_text(score, spent)
    for model in _in_order(data, shown):
        traces += _model(data, model, cost, model in front, hover)
    ends = known(end for model in shown for end in model["metric"]["test"])
    log = wide(y)
    span, shapes = view(task["baselines"], y, log, ends)
    yaxis = {**axis(score, log, y), "range": span}
    return figure(traces, axis(spent, wide(x), x), yaxis, shapes)


def _model(
    data: Mapping[str, Any], model: Mapping[str, Any], cost: str, on_front: bool, hover: str
) -> Iterator[dict[str, Any]]:
    """The seeds of a model, and their mean with its interval."""
    name, look = plain(model["name"]), data["looks"][model["label"]]
    colour = colour_of(look)
    shared = {"mode": "markers", "name": name, "legendgroup": model["label"]}
    shared |= {"hovertemplate": hover}
    runs, (mean, low, high) = model["runs"], model["metric"]["test"]
    yield {
        **shared,
        "x": runs["cost"][cost],
        "y": runs["metric"]["test"],
        "text": [plain(told) for told in runs["told"]],
        "marker": {"color": colour, "symbol": look["symbol"], "size": 5, "opacity": 0.5},
        "showlegend": False,
    }
    told = [f"{name}, mean of n={model['n']}"]
    if (chance := model["chance"][cost]) is not None:
        told.append(f"on the front in {100 * chance:.0f} % of resamples")
    symbol = look["symbol"] if on_front else f"{look['symbol']}-open"
    yield {
        **shared,
        "x": [model["cost"][cost]],
        "y": [mean],
        "text": ["<br>".join(told)],
        "marker": {"color": colour, "symbol": symbol, "size": 12}
        | {"line": {"color": colour, "width": 2}},
        "error_y": _bar(colour, mean if low is None else low, mean, mean if high is None else high),
        "error_x": _bar(colour, *_ends(model, cost)),
    }


def _ends(model: Mapping[str, Any], cost: str) -> list[float]:
    """A cost between the ends of its 95 % interval, which is nothing where it is counted."""
    factor = math.exp(SURE * model["error"].get(cost, 0.0))
    middle = model["cost"][cost]
    return [middle / factor, middle, middle * factor]


def _bar(colour: str, low: float, middle: float, high: float) -> dict[str, Any]:
    bar = {"type": "data", "symmetric": False, "color": colour, "thickness": 1.5, "width": 4}
    return bar | {"array": [high - middle], "arrayminus": [middle - low]}


def _learning(data: Mapping[str, Any], task: Mapping[str, Any], time: str) -> go.Figure:
    """Validation scores of one task in the course of training: means in bands, and seeds."""
    seeds = [seed for curve in task["curves"] for seed in curve["seeds"]]
    alive = [seed for seed in seeds if not seed["lost"]]
    # What blew up must not decide what can be seen of the others, unless there are none.
    y = known(value for seed in alive or seeds for value in seed["valid"])
    log, score, over = wide(y), f"validation {task['score']}", data["times"][time]
    span, shapes = view(task["baselines"], y, log)
    ends = [10**end if log else end for end in span or (-math.inf, math.inf)]
    traces = [
        trace
        for curve in _in_order(data, task["curves"])
        for trace in _curve(curve, data["looks"][curve["label"]], time, score, over, ends)
    ]
    yaxis = {**axis(score, log, y), "range": span}
    return figure(traces, axis(over, False, []), yaxis, shapes)


def _curve(
    curve: Mapping[str, Any],
    look: Mapping[str, Any],
    time: str,
    score: str,
    over: str,
    ends: Sequence[float],
) -> Iterator[dict[str, Any]]:
    """The band, the seeds, what diverged, and the mean of one model."""
    colour, mean, seeds = colour_of(look), curve["mean"], curve["seeds"]
    shared = {"name": plain(curve["name"]), "legendgroup": curve["label"], "mode": "lines"}
    hidden = {"showlegend": False, "hoverinfo": "skip"}
    timed = [i for i, value in enumerate(mean[time]) if value is not None]
    x, low, high = ([mean[key][i] for i in timed] for key in (time, "low", "high"))
    yield {
        **(shared | hidden),
        "x": [*x, *reversed(x)],
        "y": [*high, *reversed(low)],
        "line": {"width": 0},
        "fill": "toself",
        "fillcolor": transparent(colour, BAND_OPACITY),
    }
    # All seeds are one trace, with gaps between them: plots of many runs stay quick.
    yield {
        **(shared | hidden),
        "x": [value for seed in seeds for value in [*seed[time], None]],
        "y": [value for seed in seeds for value in [*seed["valid"], None]],
        "line": {"color": transparent(colour, SEED_OPACITY), "width": 1},
    }
    lost = [seed for seed in seeds if seed["lost"] and seed["valid"]]
    if lost:
        last = [seed["valid"][-1] for seed in lost]
        yield {
            **shared,
            "mode": "markers",
            "x": [seed[time][-1] for seed in lost],
            "y": [None if y is None else min(max(y, ends[0]), ends[1]) for y in last],
            "text": [f"{plain(seed['told'])}<br>diverged" for seed in lost],
            "hovertemplate": "%{text}<extra></extra>",
            "marker": cross(colour),
            "cliponaxis": False,
            "showlegend": False,
        }
    yield {
        **shared,
        # A single evaluation is a point, which a line does not show.
        "mode": "lines" if len(x) > 1 else "markers",
        "x": x,
        "y": [mean["mean"][i] for i in timed],
        "text": [f"{plain(curve['name'])}, mean of n={len(seeds) - len(lost)}"] * len(x),
        "hovertemplate": hover_text(score, over),
        "line": {"color": colour, "width": 2.5, "dash": look["dash"]},
        "marker": {"color": colour, "size": 8},
    }


def _rates(data: Mapping[str, Any], task: Mapping[str, Any]) -> go.Figure:
    """Validation scores of one task against the learning rates that were tried."""
    score, worse = f"validation {task['score']}", 1 if task["goal"] == "min" else 0
    hover = hover_text(score, "learning rate")
    traces: list[dict[str, Any]] = []
    for rates in _in_order(data, task["rates"]):
        look, lost = data["looks"][rates["label"]], rates["lost"]
        mean, runs = rates["mean"], rates["runs"]
        colour = colour_of(look)
        shared = {"name": plain(rates["name"]), "legendgroup": rates["name"]}
        mark = {"color": colour, "symbol": look["symbol"]}
        traces.append(
            {
                **(shared | {"mode": "lines+markers", "hovertemplate": hover}),
                "x": mean["learning_rate"],
                "y": mean["mean"],
                "text": [f"{plain(rates['name'])}, mean of n={n:g}" for n in mean["n"]],
                "line": {"color": colour, "width": 2, "dash": look["dash"]},
                "marker": {**mark, "size": 8},
            }
        )
        traces.append(
            {
                **(shared | {"mode": "markers", "hovertemplate": hover, "showlegend": False}),
                "x": runs["learning_rate"],
                "y": runs["valid"],
                "text": [plain(told) for told in runs["told"]],
                "marker": {**mark, "size": 5, "opacity": 0.5},
            }
        )
        if lost["learning_rate"]:
            traces.append(
                {
                    **(shared | {"mode": "markers", "showlegend": False, "cliponaxis": False}),
                    "x": lost["learning_rate"],
                    "y": [worse] * len(lost["learning_rate"]),
                    "yaxis": "y2",
                    "text": [plain(told) for told in lost["told"]],
                    "hovertemplate": "%{text}<br>learning rate: %{x:.4~g}<extra></extra>",
                    "marker": cross(colour),
                }
            )
    tried = {rate for rates in task["rates"] for rate in rates["mean"]["learning_rate"]}
    tried |= {rate for rates in task["rates"] for rate in rates["lost"]["learning_rate"]}
    xaxis = axis("learning rate", True, sorted(tried))
    if len(tried) <= 8:
        xaxis["tickvals"] = sorted(tried)
    y = known(value for rates in task["rates"] for value in rates["runs"]["valid"])
    return figure(traces, xaxis, axis(score, wide(y), y), [])


def _in_order(data: Mapping[str, Any], models: Sequence[Any]) -> list[Any]:
    """In the order in which all figures list their models."""
    order = list(data["looks"])
    return sorted(models, key=lambda model: order.index(model["label"]))
