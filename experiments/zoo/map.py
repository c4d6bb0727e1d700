"""What each architecture learned, as a table, and its score against its costs, as a picture.

`python experiments/zoo/map.py runs/zoo` prints the tables as Markdown and draws `map.svg` here.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from kinds import KIND, KINDS
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatterSciNotation, LogLocator, NullFormatter

from seqexp.analysis import canvas, load
from seqexp.analysis.load import Study
from seqexp.analysis.looks import COLOURS
from seqexp.analysis.notation import digits
from seqexp.analysis.table import tabulate

MARKS = ["o", "s", "^", "D", "X"]
COSTS = {
    "carry_bytes": "state after the training length, bytes",
    "training_flops_per_token": "FLOPs of training, a token",
    "decode_seconds_per_token": "time of a step of decoding, seconds",
}
RECALL, PARITY = "associative_recall_short", "parity_short"
PERFECT = {
    RECALL: 1,
    PARITY: 1,
    "selective_copy_short": 1,
    "copy_memory_short": 0,
    "adding_short": 0,
}
"""The score of each task that has a best one; what of text can't be told is not known."""
BOTTOM, TOP, HIGH, WIDE = -0.18, 1.05, 0.027, 0.17
"""Of a panel in units of scores, and the room of a name: its height, and its share of the width."""


def learned(study: Study, chosen: pd.DataFrame) -> pd.DataFrame:
    """The way from the best baseline, 0, to a perfect score, 1: a row a model, a column a task.

    What diverged has learned nothing.
    """
    scores = chosen.pivot(index="model", columns="task", values="test")
    there = set(zip(chosen["model"], chosen["task"], strict=True))
    goals = chosen.set_index("task")["goal"].to_dict()
    if missing := [
        f"{model} on {task}" for task in PERFECT for model in KIND if (model, task) not in there
    ]:
        raise SystemExit(f"not in {study.name}: {', '.join(missing)}")
    way = {}
    for task, perfect in PERFECT.items():
        better = max if goals[task] == "max" else min
        least = better(study.baselines(task).values())
        way[task] = ((scores[task] - least) / (perfect - least)).clip(lower=0).fillna(0)
    return pd.DataFrame(way).loc[list(KIND)]


def tables(study: Study, chosen: pd.DataFrame, way: pd.DataFrame) -> None:
    """Print the scores of each model on each task, and those of parity at greater lengths."""
    tasks = list(dict.fromkeys(chosen["task"]))
    scores = chosen.set_index(["model", "task"])["test"].to_dict()
    print(f"| model | {' | '.join(tasks)} | learned |\n|---{'|---' * (len(tasks) + 1)}|")
    for model in KIND:
        cells = [digits(scores.get((model, task), float("nan"))) for task in tasks]
        print(f"| {model} | {' | '.join(cells)} | {way.loc[model].mean():.2f} |")
    told = [
        f"{task}: {digits(value)} {name}"
        for task in tasks
        for name, value in study.baselines(task).items()
    ]
    print(f"\nBaselines: {'; '.join(told)}.\n")
    runs = study.runs.loc[study.runs["task"] == PARITY]
    lengths = ["test/accuracy", *(f"length {n}x/accuracy" for n in (2, 4))]
    print("| parity | trained length | 2x | 4x |\n|---|---|---|---|")
    for model in KIND:
        own = runs.loc[(runs["model"] == model) & runs["valid"].notna()]
        if len(own):
            best = own.loc[own["valid"].idxmax()]
            print(f"| {model} | {' | '.join(digits(best[name]) for name in lengths)} |")


def picture(chosen: pd.DataFrame, way: pd.DataFrame, path: Path) -> None:
    """Score against cost, one point an architecture: of all tasks, and of associative recall."""
    told = chosen.loc[chosen["task"].isin(list(way.columns))]
    costs = told.groupby("model")[list(COSTS)].mean()
    recall = told.loc[told["task"] == RECALL].set_index("model")
    rows = {
        f"learned of what can be, mean of {len(way.columns)} tasks": (
            way.mean(axis=1),
            costs,
        ),
        "associative recall, accuracy": (recall["test"].fillna(0), recall[list(COSTS)]),
    }
    with rc_context(canvas.STYLE):
        figure = Figure(figsize=(15, 12), layout="constrained")
        axes = figure.subplots(len(rows), len(COSTS), sharey="row")
        for own, (said, (scores, at)) in zip(axes, rows.items(), strict=True):
            for axis, (cost, name) in zip(own, COSTS.items(), strict=True):
                axis.set(xscale="log", xlabel=name, ylim=(BOTTOM, TOP))
                axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=8))
                axis.xaxis.set_major_formatter(LogFormatterSciNotation(minor_thresholds=(9, 9)))
                axis.xaxis.set_minor_formatter(NullFormatter())
                for kind, colour, mark in zip(KINDS, COLOURS, MARKS, strict=False):
                    models = [m for m in scores.index if KIND[m] == kind]
                    x, y = at.loc[models, cost], scores[models]
                    axis.plot(x, y, mark, color=colour, markersize=5, label=kind)
                _name(axis, at.loc[scores.index, cost].to_dict(), scores.to_dict())
                ends = at[cost].min(), at[cost].max()
                axis.set_xlim(right=ends[1] * (ends[1] / ends[0]) ** 0.2)
            own[0].set_ylabel(said)
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(KINDS), frameon=False)
        path.write_text(canvas.svg(figure, "zoo"), encoding="utf-8")


def _name(axis: Axes, x: Mapping[str, float], y: Mapping[str, float]) -> None:
    """Names beside their points, each at the nearest height that is free there."""
    low, high = math.log(min(x.values())), math.log(max(x.values()))
    taken: list[tuple[float, float]] = []

    def free(place: float, height: float) -> bool:
        return all(abs(place - a) > WIDE or abs(height - h) > HIGH * 0.99 for a, h in taken)

    for model in sorted(y, key=lambda each: -y[each]):
        place = (math.log(x[model]) - low) / max(high - low, 1e-9)
        heights = [y[model] + HIGH * step for step in sorted(range(-40, 41), key=abs)]
        height = next(h for h in heights if BOTTOM < h < TOP and free(place, h))
        taken.append((place, height))
        moved = abs(height - y[model]) > HIGH / 2
        axis.annotate(
            model,
            (x[model], y[model]),
            (x[model] * math.exp(0.015 * (high - low)), height),
            fontsize=6.5,
            va="center",
            color="#444444",
            arrowprops={"arrowstyle": "-", "lw": 0.4, "color": "#999999"} if moved else None,
        )


def main(folder: Path) -> None:
    """Print the tables of a study, and draw its map."""
    study = load(folder)
    table = tabulate(study)
    chosen = table.loc[table["chosen"]]
    way = learned(study, chosen)
    tables(study, chosen, way)
    picture(chosen, way, Path(__file__).parent / "map.svg")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
