"""What each architecture learned, as a table, and its score against its costs, as a picture.

`python experiments/zoo/map.py runs/zoo` prints the tables as Markdown and draws `map.svg` here.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from kinds import KIND, KINDS
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from seqexp.analysis import canvas, load
from seqexp.analysis.load import Study
from seqexp.analysis.looks import COLOURS
from seqexp.analysis.notation import digits
from seqexp.analysis.table import tabulate

MARKS = ["o", "s", "^", "D", "X"]
COSTS = {
    "carry_bytes": "state after the training length, bytes",
    "training_flops_per_token": "FLOPs of training, a token",
    "decode_seconds_per_token": "time of a step of decoding, µs",
}
RECALL, PARITY = "associative_recall_short", "parity_short"
LONGER = ("2x", "4x")
"""The greater lengths at which parity is tested."""
PERFECT = {
    RECALL: 1,
    PARITY: 1,
    "selective_copy_short": 1,
    "copy_memory_short": 0,
    "adding_short": 0,
}
"""The score of each task that has a best one; what of text can't be told is not known."""
BOTTOM, TOP = -0.1, 1.07
"""The ends of a panel, in scores."""
HIGH, LETTER, POINT = 0.026, 0.0125, 0.01
"""The height of a name, in scores; the width of a letter and half of a point's, in panels."""


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
    goals = dict(zip(chosen["task"], chosen["goal"], strict=True))
    scores = chosen.set_index(["model", "task"])["test"].to_dict()
    labels = chosen.loc[chosen["task"] == PARITY].set_index("model")["label"].to_dict()
    names: list[str] = []
    for task, goal in goals.items():
        names += [f"{task} {'↑' if goal == 'max' else '↓'}", *(LONGER if task == PARITY else ())]
    print(f"| model | {' | '.join(names)} | learned |\n|---{'|---' * (len(names) + 1)}|")
    for model in KIND:
        cells: list[str] = []
        for task in goals:
            cells.append(digits(scores.get((model, task), float("nan"))))
            if task == PARITY:
                cells += [digits(value) for value in _at_lengths(study, labels[model])]
        print(f"| {model} | {' | '.join(cells)} | {way.loc[model].mean():.2f} |")
    told = [
        f"{task}: {digits(value)} {name}"
        for task in goals
        for name, value in study.baselines(task).items()
    ]
    print(f"\nBaselines: {'; '.join(told)}.")


def _at_lengths(study: Study, setting: str) -> list[float]:
    """The accuracies of parity at greater lengths, of a setting; NaN where it diverged."""
    own = study.runs.loc[(study.runs["task"] == PARITY) & (study.runs["label"] == setting)]
    return [own[f"length {n}/accuracy"].mean() for n in LONGER]


def picture(chosen: pd.DataFrame, way: pd.DataFrame, path: Path) -> None:
    """Score against cost, one point an architecture: of all tasks, and of associative recall."""
    told = chosen.loc[chosen["task"].isin(list(way.columns))].copy()
    told["decode_seconds_per_token"] *= 1e6
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
                for kind, colour, mark in zip(KINDS, COLOURS, MARKS, strict=False):
                    models = [m for m in scores.index if KIND[m] == kind]
                    x, y = at.loc[models, cost], scores[models]
                    axis.plot(x, y, mark, color=colour, markersize=5, label=kind)
                ends = at[cost].min(), at[cost].max()
                wide = max(ends[1] / ends[0], 1.1)
                axis.set_xlim(ends[0] / wide**0.12, ends[1] * wide**0.2)
                canvas.set_ticks(axis.xaxis, *ends, logarithmic=True)
                _name(axis, at.loc[scores.index, cost].to_dict(), scores.to_dict())
            own[0].set_ylabel(said)
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(KINDS), frameon=False)
        path.write_text(canvas.svg(figure, "zoo"), encoding="utf-8")


class Box(NamedTuple):
    """Where a name stands, in shares of a panel's width and units of scores."""

    left: float
    right: float
    height: float

    def meets(self, other: Box) -> bool:
        """Whether the two names would cover each other."""
        beside = self.right <= other.left or other.right <= self.left
        return not beside and abs(self.height - other.height) < HIGH * 0.99


def boxes(x: Mapping[str, float], y: Mapping[str, float]) -> dict[str, Box]:
    """A place for each name, right or left of its point, at the nearest height that is free.

    Args:
        x: the points' places, in shares of the panel's width.
        y: their scores.
    """
    taken = [Box(x[model] - POINT, x[model] + POINT, y[model]) for model in x]
    placed: dict[str, Box] = {}
    for model in sorted(y, key=lambda each: (-y[each], x[each])):
        wide = LETTER * len(model)
        free = (
            box
            for step in sorted(range(-40, 41), key=abs)
            for left in (x[model] + 1.5 * POINT, x[model] - 1.5 * POINT - wide)
            for box in (Box(left, left + wide, y[model] + HIGH * step),)
            if BOTTOM < box.height < TOP and left > -0.02 and not any(map(box.meets, taken))
        )
        placed[model] = next(free)
        taken.append(placed[model])
    return placed


def _name(axis: Axes, x: Mapping[str, float], y: Mapping[str, float]) -> None:
    """Names beside their points, with a line to those that had to move."""
    low, high = (math.log(end) for end in axis.get_xlim())
    shares = {model: (math.log(value) - low) / (high - low) for model, value in x.items()}
    for model, box in boxes(shares, y).items():
        moved = abs(box.height - y[model]) > HIGH / 2
        axis.annotate(
            model,
            (x[model], y[model]),
            (math.exp(low + box.left * (high - low)), box.height),
            fontsize=6.5,
            va="center",
            color="#444444",
            arrowprops={"arrowstyle": "-", "lw": 0.4, "color": "#999999"} if moved else None,
        )


TOLD = ("model", "task", "label", "n", "test", "valid", "parameters", *COSTS, "step_seconds")
"""What is kept of the settings that validation chose."""


def main(folder: Path) -> None:
    """Print the tables of a study, draw its map, and keep the figures of both."""
    here = Path(__file__).parent
    study = load(folder)
    table = tabulate(study)
    chosen = table.loc[table["chosen"]]
    way = learned(study, chosen)
    tables(study, chosen, way)
    picture(chosen, way, here / "map.svg")
    chosen.loc[:, list(TOLD)].to_csv(here / "results.csv", index=False, lineterminator="\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
