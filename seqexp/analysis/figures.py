"""The figures of a study: how models learn, and what they achieve for what they cost."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from seqexp.analysis import canvas
from seqexp.analysis.axes import COMPARED, Axis
from seqexp.analysis.load import Study
from seqexp.analysis.looks import MUTED, PAPER, Look
from seqexp.analysis.notation import spoken

LEARNING_SIZE = (360, 216)
COST_SIZE = (266, 194)
TIMES = {"examples": "training examples", "seconds": "training time, s"}


class Figure(NamedTuple):
    """A figure: its file's name without ending, what it shows, and itself as SVG.

    The SVG is made of a plot, `width` by `height` points, and a legend below it.
    """

    name: str
    caption: str
    svg: str
    width: float
    height: float


def learning_figures(
    study: Study, rows: pd.DataFrame, baselines: Mapping[str, float], looks: Mapping[str, Look]
) -> list[Figure]:
    """How the validation score develops, over the examples seen and over the time trained.

    Args:
        study: the records.
        rows: the rows of one task in the table; its chosen models are drawn.
        baselines: scores that need no model.
        looks: of each model label.
    """
    rows = rows.loc[rows["chosen"] & rows["score"].notna()]
    if rows.empty:
        return []
    task, score = rows[["task", "score"]].iloc[0]
    runs = study.runs.loc[study.runs["task_label"] == task, ["run", "label", "status"]]
    runs = runs.loc[runs["label"].isin(rows["label"]) & (runs["status"] != "failed")]
    curves = study.curves.loc[study.curves["metric"] == f"valid/{score}"].dropna(subset=["value"])
    curves = curves.merge(runs, on="run")
    figures = []
    for time, label in TIMES.items():
        known = curves.dropna(subset=[time])
        if len(known):
            name = _file_name(task, "learning", time)
            caption = f"Validation {spoken(score)} against {label.partition(',')[0]}"
            svg = _learning(known, time, score, name, baselines, looks)
            figures.append(Figure(name, caption, svg, *LEARNING_SIZE))
    return figures


def cost_figures(
    rows: pd.DataFrame, baselines: Mapping[str, float], looks: Mapping[str, Look]
) -> list[Figure]:
    """The test score of a task's chosen models against each cost that is known; see above."""
    rows = rows.loc[rows["chosen"] & (rows["n"] > 0)]
    figures = []
    for axis in COMPARED:
        known = rows.dropna(subset=[axis.key])
        if len(known):
            task, score = known[["task", "score"]].iloc[0]
            caption = f"Test {spoken(score)} against {axis.name}"
            name = _file_name(task, "cost", axis.key)
            svg = _cost(known, axis, name, baselines, looks)
            figures.append(Figure(name, caption, svg, *COST_SIZE))
    return figures


def _learning(
    curves: pd.DataFrame,
    time: str,
    score: str,
    name: str,
    baselines: Mapping[str, float],
    looks: Mapping[str, Look],
) -> str:
    with matplotlib.rc_context(canvas.STYLE):
        figure, ax = canvas.draw(*LEARNING_SIZE)
        ax.set(xlabel=TIMES[time], ylabel=f"valid {spoken(score)}")
        alive = curves.loc[curves["status"] != "diverged"]
        # A curve that blew up must not decide what can be seen of the others.
        seen = alive if len(alive) else curves
        canvas.fit_y(ax, seen["value"])
        ends = [run[time].iloc[-1] for _, run in curves.groupby("run")]
        canvas.fit_x(ax, ends, curves[time])
        canvas.mark_baselines(ax, baselines)
        handles = {}
        for label, look in looks.items():
            mine = curves.loc[curves["label"] == label]
            for _, run in mine.groupby("run"):
                _draw_seed(ax, run, time, look)
            if len(mine):
                handles[label] = _draw_mean(ax, alive.loc[alive["label"] == label], time, look)
        canvas.add_legend(figure, handles)
        return canvas.svg(figure, name)


def _draw_seed(ax: Axes, run: pd.DataFrame, time: str, look: Look) -> None:
    ax.plot(run[time], run["value"], color=look.colour, linewidth=0.6, alpha=0.4)
    if run["status"].iloc[0] == "diverged":
        last = run.iloc[-1]
        height = np.clip(last["value"], *ax.get_ylim())
        ax.plot(last[time], height, "x", color=look.colour, markersize=5, clip_on=False)


def _draw_mean(ax: Axes, runs: pd.DataFrame, time: str, look: Look) -> Line2D:
    """The mean over seeds, at the steps that all of them have reached."""
    mean, times = (
        runs.pivot(index="step", columns="run", values=key).dropna().mean(axis="columns")
        for key in ("value", time)
    )
    [line] = ax.plot(times, mean, color=look.colour, linestyle=look.line, linewidth=1.6)
    return line


def _cost(
    rows: pd.DataFrame,
    axis: Axis,
    name: str,
    baselines: Mapping[str, float],
    looks: Mapping[str, Look],
) -> str:
    cost, test = rows[axis.key].to_numpy() * axis.scale, rows["test"].to_numpy()
    half = rows["test_half"].fillna(0).to_numpy()
    on_front = rows[f"front/{axis.key}"].to_numpy()
    with matplotlib.rc_context(canvas.STYLE):
        figure, ax = canvas.draw(*COST_SIZE)
        ax.set(xlabel=axis.label, ylabel=f"test {spoken(rows['score'].iloc[0])}")
        canvas.fit_y(ax, test, [*(test - half), *(test + half)])
        canvas.fit_x(ax, cost)
        canvas.mark_baselines(ax, baselines)
        _draw_front(ax, cost[on_front], test[on_front])
        handles = {}
        for i, label in enumerate(rows["label"]):
            colour, fill = looks[label].colour, looks[label].colour if on_front[i] else PAPER
            ax.errorbar(cost[i], test[i], half[i], color=colour, linewidth=1)
            [handles[label]] = ax.plot(
                *(cost[i], test[i], looks[label].marker),
                color=colour,
                markerfacecolor=fill,
                markersize=6,
            )
        canvas.add_legend(figure, {label: handles[label] for label in looks if label in handles})
        return canvas.svg(figure, name)


def _draw_front(ax: Axes, cost: np.ndarray, test: np.ndarray) -> None:
    """The best score that can be had for at most a cost, up to the right end of the plot."""
    order = np.argsort(cost, kind="stable")
    x = [*cost[order], ax.get_xlim()[1]]
    y = [*test[order], *test[order][-1:]]
    if len(order):
        ax.step(x, y, where="post", color=MUTED, linewidth=0.9, zorder=1.5)


def _file_name(*parts: str) -> str:
    return "-".join(re.sub(r"[^\w.=]+", "-", part) for part in parts).replace("_", "-")
