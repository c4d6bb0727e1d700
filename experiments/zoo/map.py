"""What each architecture learned, as a table, and its score against its costs, as a picture.

`python experiments/zoo/map.py runs/zoo` prints the tables as Markdown and draws `map.svg` here.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatterSciNotation, LogLocator, NullFormatter

from seqexp.analysis import canvas, load
from seqexp.analysis.load import Study
from seqexp.analysis.notation import digits
from seqexp.analysis.table import tabulate

KINDS = {
    "gated, nonlinear": (
        "rnn irnn lstm gru mgu ugrnn indrnn sru qrnn antisymmetric cornn lem exprnn slstm"
    ),
    "diagonal, linear": "min_gru min_lstm lru s4d s5 rg_lru mamba",
    "matrix state": "linear_attention retnet gla mamba2 mlstm deltanet gated_deltanet kda rwkv7",
    "memory unit": "lmu",
    "not recurrent": "transformer sliding_window tcn",
}
KIND = {model: kind for kind, models in KINDS.items() for model in models.split()}
COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#000000"]
MARKS = ["o", "s", "^", "D", "X"]
"""Of Okabe and Ito, and shapes, which people tell apart however they see colours."""
COSTS = {
    "carry_bytes": "state after the longest training sequence, bytes",
    "training_flops_per_token": "FLOPs of training, a token",
    "decode_seconds_per_token": "time of a step of decoding, seconds",
}
PERFECT = {"accuracy": 1.0, "mse": 0.0}
"""Scores beyond which nothing is left to learn."""
BOTTOM, TOP, HIGH, WIDE = -0.18, 1.05, 0.027, 0.17
"""Of a panel in units of scores, and the room of a name: its height, and its share of the width."""
RECALL, PARITY = "associative_recall_short", "parity"


def learned(study: Study, chosen: pd.DataFrame) -> pd.DataFrame:
    """The way from the best baseline, 0, to a perfect score, 1: a row a model, a column a task."""
    way = {}
    for task, rows in chosen.groupby("task", sort=False):
        metric, goal = rows["score"].iloc[0], rows["goal"].iloc[0]
        if metric in PERFECT:
            better = max if goal == "max" else min
            least = better(study.baselines(str(task)).values())
            scores = rows.set_index("model")["test"]
            way[task] = ((scores - least) / (PERFECT[metric] - least)).clip(lower=0)
    return pd.DataFrame(way)


def tables(study: Study, chosen: pd.DataFrame, way: pd.DataFrame) -> None:
    """Print the scores of each model on each task, and those of parity at greater lengths."""
    tasks = list(dict.fromkeys(chosen["task"]))
    scores = chosen.set_index(["model", "task"])["test"]
    print(f"| model | {' | '.join(tasks)} | mean |\n|---{'|---' * (len(tasks) + 1)}|")
    for model in KIND:
        if model in way.index:
            cells = [digits(scores.get((model, task), float("nan"))) for task in tasks]
            print(f"| {model} | {' | '.join(cells)} | {way.loc[model].mean():.2f} |")
    told = [
        f"{task}: {digits(value)} {name}"
        for task in tasks
        for name, value in study.baselines(task).items()
    ]
    print(f"\nBaselines: {'; '.join(told)}.\n")
    runs = study.runs.loc[study.runs["task"] == PARITY].set_index("run")
    lengths = ["test/accuracy", *(f"length {n}x/accuracy" for n in (2, 4, 8, 16))]
    print("| parity | trained length | 2x | 4x | 8x | 16x |\n|---|---|---|---|---|---|")
    for model in KIND:
        own = runs.loc[(runs["model"] == model) & runs["valid"].notna()]
        if len(own):
            best = own.loc[own["valid"].idxmax()]
            print(f"| {model} | {' | '.join(digits(best[name]) for name in lengths)} |")


def picture(chosen: pd.DataFrame, way: pd.DataFrame, path: Path) -> None:
    """Score against cost, one point an architecture: of all tasks, and of associative recall."""
    costs = chosen.groupby("model")[list(COSTS)].mean()
    recall = chosen.loc[chosen["task"] == RECALL].set_index("model")
    rows = {
        "share of what can be learned, mean of tasks": (way.mean(axis=1), costs),
        "associative recall, accuracy": (recall["test"], recall[list(COSTS)]),
    }
    figure = Figure(figsize=(15, 12), layout="constrained")
    axes = figure.subplots(len(rows), len(COSTS), sharey="row")
    for own, (said, (scores, at)) in zip(axes, rows.items(), strict=True):
        for axis, (cost, name) in zip(own, COSTS.items(), strict=True):
            axis.set(xscale="log", xlabel=name, ylim=(BOTTOM, TOP))
            axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.xaxis.set_major_formatter(LogFormatterSciNotation(minor_thresholds=(9, 9)))
            axis.xaxis.set_minor_formatter(NullFormatter())
            axis.grid(alpha=0.25)
            for (kind, _), colour, mark in zip(KINDS.items(), COLOURS, MARKS, strict=True):
                models = [m for m in scores.index if KIND[m] == kind]
                x, y = at.loc[models, cost], scores[models]
                axis.plot(x, y, mark, color=colour, markersize=5, label=kind)
            _name(axis, at.loc[scores.index, cost], scores)
            axis.set_xlim(right=at[cost].max() * (at[cost].max() / at[cost].min()) ** 0.2)
        own[0].set_ylabel(said)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(KINDS), frameon=False)
    path.write_text(canvas.svg(figure, "zoo"))


def _name(axis: Axes, x: pd.Series, y: pd.Series) -> None:
    """Names beside their points, each at the nearest height that is free there."""
    low, high = np.log(x.min()), np.log(x.max())
    across = (np.log(x) - low) / max(high - low, 1e-9)
    taken: list[tuple[float, float]] = []

    def free(place: float, height: float) -> bool:
        return all(abs(place - a) > WIDE or abs(height - h) > HIGH * 0.99 for a, h in taken)

    for model in y.sort_values(ascending=False).index:
        steps = sorted(range(-40, 41), key=abs)
        heights = [
            y[model] + HIGH * step for step in steps if BOTTOM < y[model] + HIGH * step < TOP
        ]
        height = next(h for h in heights if free(across[model], h))
        taken.append((across[model], height))
        moved = abs(height - y[model]) > HIGH / 2
        axis.annotate(
            model,
            (x[model], y[model]),
            (x[model] * np.exp(0.015 * (high - low)), height),
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
