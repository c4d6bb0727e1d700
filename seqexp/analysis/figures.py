"""The figures of a study: how models learn, what they achieve for what they cost, how they tune.

Each is a file for a paper; the page shows them, or draws the same itself where scripts may run.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.lines import Line2D

from seqexp.analysis import canvas
from seqexp.analysis.axes import Axis
from seqexp.analysis.curves import TIMES, Time, band, thinned
from seqexp.analysis.looks import MUTED, PAPER, Look, model_looks
from seqexp.analysis.notation import spoken
from seqexp.analysis.pareto import SURE, Goal
from seqexp.analysis.rates import over_rates
from seqexp.analysis.table import compared

LEARNING_SIZE = (360, 216)
COST_SIZE = (266, 194)
RATE_SIZE = (360, 216)


class Figure(NamedTuple):
    """A figure: its file's name without ending, what it shows, and itself as SVG and as PDF.

    It is made of a plot, `width` by `height` points, and a legend below it.
    """

    name: str
    caption: str
    svg: str
    pdf: bytes
    width: float
    height: float


def learning_figures(
    curves: pd.DataFrame,
    rows: pd.DataFrame,
    baselines: Mapping[str, float],
    looks: Mapping[str, Look],
) -> list[Figure]:
    """How the validation score develops, over each measure of time but the steps, which know least.

    Args:
        curves: of the chosen models of one task, see `evaluations`.
        rows: the rows of the task in the table.
        baselines: scores that need no model.
        looks: of each label.
    """
    figures = []
    for time in TIMES[1:]:
        known = curves.dropna(subset=[time.key])
        if len(known):
            task, score = _judged(rows)
            name = file_name(task, "learning", time.key)
            caption = f"Validation {spoken(score)} against {time.name}"
            with matplotlib.rc_context(canvas.STYLE):
                drawing = _learning(known, time, score, baselines, looks)
                figures.append(_figure(drawing, name, caption, LEARNING_SIZE))
    return figures


def cost_figures(
    rows: pd.DataFrame, baselines: Mapping[str, float], looks: Mapping[str, Look]
) -> list[Figure]:
    """The test score of a task's chosen models against each cost that is known; see above."""
    rows = rows.loc[rows["chosen"] & (rows["n"] > 0)]
    figures = []
    for axis in compared(rows):
        known = rows.dropna(subset=[axis.key])
        if len(known):
            task, score = _judged(known)
            name = file_name(task, "cost", axis.key)
            caption = f"Test {spoken(score)} against {axis.name}"
            with matplotlib.rc_context(canvas.STYLE):
                drawing = _cost(known, axis, baselines, looks)
                figures.append(_figure(drawing, name, caption, COST_SIZE))
    return figures


def rate_figures(runs: pd.DataFrame, rows: pd.DataFrame, looks: Mapping[str, Look]) -> list[Figure]:
    """The validation score of a task's runs against their learning rates, see `rate_runs`."""
    if runs.dropna(subset=["valid"]).empty:
        return []
    task, score = _judged(rows)
    caption = f"Validation {spoken(score)} against the learning rate"
    with matplotlib.rc_context(canvas.STYLE):
        drawing = _rates(runs, score, rows["goal"].dropna().iloc[0] == "min", looks)
        return [_figure(drawing, file_name(task, "learning-rate"), caption, RATE_SIZE)]


def trial_figures(
    trials: pd.DataFrame, rows: pd.DataFrame, looks: Mapping[str, Look]
) -> list[Figure]:
    """The expected best validation score of some runs of each model of a task, see `trials`."""
    if trials.empty:
        return []
    task, score = _judged(rows)
    caption = f"Expected best validation {spoken(score)} against the number of runs"
    with matplotlib.rc_context(canvas.STYLE):
        drawing = _trials(trials, score, looks)
        return [_figure(drawing, file_name(task, "best-of-runs"), caption, RATE_SIZE)]


def _figure(drawing: Drawing, name: str, caption: str, size: tuple[float, float]) -> Figure:
    return Figure(name, caption, canvas.svg(drawing, name), canvas.pdf(drawing), *size)


def _judged(rows: pd.DataFrame) -> tuple[str, str]:
    """The task of rows of the table, and the metric that it is judged by."""
    task, score = rows[["task", "score"]].dropna().iloc[0]
    return task, score


def _learning(
    curves: pd.DataFrame,
    time: Time,
    score: str,
    baselines: Mapping[str, float],
    looks: Mapping[str, Look],
) -> Drawing:
    figure, ax = canvas.draw(*LEARNING_SIZE)
    ax.set(xlabel=time.label, ylabel=f"valid {spoken(score)}")
    alive = curves.loc[curves["status"] != "diverged"]
    # A curve that blew up must not decide what can be seen of the others.
    seen = alive if len(alive) else curves
    canvas.fit_y(ax, seen["valid"])
    ends = curves.groupby("run")[time.key].last()
    canvas.fit_x(ax, ends, curves[time.key])
    canvas.mark_baselines(ax, baselines)
    handles = {}
    for label, look in looks.items():
        mine = curves.loc[curves["label"] == label]
        if len(mine):
            _draw_seeds(ax, mine, time, look)
            name = mine["contender"].iloc[0]
            handles[name] = _draw_mean(ax, alive.loc[alive["label"] == label], time, look)
    canvas.add_legend(figure, handles)
    return figure


def _draw_seeds(ax: Axes, curves: pd.DataFrame, time: Time, look: Look) -> None:
    """Each run a thin line; all are one with gaps, so that figures of many runs stay quick."""
    gap = curves.iloc[:1].assign(valid=np.nan)
    runs = [thinned(run) for _, run in curves.groupby("run")]
    line = pd.concat([part for run in runs for part in (run, gap)])
    ax.plot(line[time.key], line["valid"], color=look.colour, linewidth=0.6, alpha=0.4)
    for last in (run.iloc[-1] for run in runs if run["status"].iloc[0] == "diverged"):
        height = np.clip(last["valid"], *ax.get_ylim())
        ax.plot(last[time.key], height, "x", color=look.colour, markersize=5, clip_on=False)


def _draw_mean(ax: Axes, runs: pd.DataFrame, time: Time, look: Look) -> Line2D:
    """The mean over seeds, in the band from the least to the greatest."""
    mean = thinned(band(runs))
    x = mean[time.key]
    ax.fill_between(x, mean["low"], mean["high"], color=look.colour, alpha=0.15, linewidth=0)
    [line] = ax.plot(x, mean["mean"], color=look.colour, linestyle=look.line, linewidth=1.6)
    if len(mean) == 1:  # A point, which a line does not show.
        line.set(marker="o", markersize=4)
    return line


def _cost(
    rows: pd.DataFrame, axis: Axis, baselines: Mapping[str, float], looks: Mapping[str, Look]
) -> Drawing:
    cost, test = rows[axis.key].to_numpy() * axis.scale, rows["test"].to_numpy()
    half = rows["test_half"].fillna(0).to_numpy()
    on_front = rows[f"front/{axis.key}"].to_numpy()
    error = rows[f"error/{axis.key}"].to_numpy() if axis.spread else 0 * cost
    factor = np.exp(SURE * error)
    figure, ax = canvas.draw(*COST_SIZE)
    ax.set(xlabel=axis.label, ylabel=f"test {spoken(rows['score'].iloc[0])}")
    canvas.fit_y(ax, test, [*(test - half), *(test + half)])
    canvas.fit_x(ax, cost, [*(cost / factor), *(cost * factor)])
    canvas.mark_baselines(ax, baselines)
    _draw_front(ax, cost[on_front], test[on_front], rows["goal"].iloc[0])
    handles = {}
    for i, label in enumerate(rows["label"]):
        look = looks[label]
        fill = look.colour if on_front[i] else PAPER
        ends = cost[i] * factor[i] ** np.array([[-1], [1]])
        across = np.abs(ends - cost[i])
        ax.errorbar(cost[i], test[i], half[i], across, color=look.colour, linewidth=1)
        [handles[label]] = ax.plot(cost[i], test[i], markersize=6, **_mark(look, fill))
    names = dict(zip(rows["label"], rows["name"], strict=True))
    canvas.add_legend(figure, {names[label]: handles[label] for label in looks if label in handles})
    return figure


def _draw_front(ax: Axes, cost: np.ndarray, test: np.ndarray, goal: Goal) -> None:
    """The best score that can be had for at most a cost, up to the right end of the plot."""
    order = np.argsort(cost, kind="stable")
    best = (np.minimum if goal == "min" else np.maximum).accumulate(test[order])
    x = [*cost[order], ax.get_xlim()[1]]
    y = [*best, *best[-1:]]
    if len(order):
        ax.step(x, y, where="post", color=MUTED, linewidth=0.9, zorder=1.5)


def _rates(runs: pd.DataFrame, score: str, lower: bool, looks: Mapping[str, Look]) -> Drawing:
    """Means over seeds joined by lines; a run that was lost is a cross at the worse edge."""
    figure, ax = canvas.draw(*RATE_SIZE)
    ax.set(xlabel="learning rate", ylabel=f"valid {spoken(score)}")
    canvas.fit_y(ax, runs["valid"])
    canvas.set_steps_x(ax, runs["learning_rate"])
    handles = {}
    for name, look in model_looks(runs, looks).items():
        mine = runs.loc[runs["model_label"] == name]
        mean = over_rates(mine)
        line = mean["learning_rate"], mean["mean"]
        [handles[name]] = ax.plot(*line, markersize=5, **_mark(look, look.colour))
        handles[name].set(linestyle=look.line, linewidth=1.4)
        ax.plot(mine["learning_rate"], mine["valid"], markersize=3, alpha=0.5, **_mark(look, PAPER))
        lost = mine.loc[mine["valid"].isna(), "learning_rate"]
        ax.plot(
            *(lost, np.full(len(lost), float(lower)), "x"),
            color=look.colour,
            transform=ax.get_xaxis_transform(),
            clip_on=False,
        )
    canvas.add_legend(figure, handles)
    return figure


def _trials(trials: pd.DataFrame, score: str, looks: Mapping[str, Look]) -> Drawing:
    figure, ax = canvas.draw(*RATE_SIZE)
    ax.set(xlabel="runs, the best of which is kept", ylabel=f"valid {spoken(score)}")
    canvas.fit_y(ax, trials["expected_best"])
    canvas.fit_x(ax, trials["trials"])
    handles = {}
    for label, look in looks.items():
        mine = trials.loc[trials["label"] == label]
        if len(mine):
            line = mine["trials"], mine["expected_best"]
            [handles[mine["name"].iloc[0]]] = ax.plot(*line, markersize=3, **_mark(look, PAPER))
            ax.lines[-1].set(linestyle=look.line, linewidth=1.4)
    canvas.add_legend(figure, handles)
    return figure


def _mark(look: Look, fill: str) -> dict[str, Any]:
    return {
        "color": look.colour,
        "marker": look.marker,
        "markerfacecolor": fill,
        "linestyle": "none",
    }


def file_name(*parts: str) -> str:
    """A name for a figure's files, without what other systems refuse."""
    return "-".join(re.sub(r"[^\w.=]+", "-", part).strip("-") for part in parts).replace("_", "-")
