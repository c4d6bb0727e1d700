"""Scores on further held-out splits, such as sequences longer than those that were trained on."""

from __future__ import annotations

import re
from collections.abc import Mapping

import matplotlib
import numpy as np
import pandas as pd

from seqexp.analysis import canvas
from seqexp.analysis.figures import Figure, file_name
from seqexp.analysis.load import Study
from seqexp.analysis.looks import PAPER, Look
from seqexp.analysis.notation import spoken
from seqexp.analysis.statistics import estimate

SIZE = (360, 216)
LONGER = re.compile(r"length (\d+)x")
"""How a split is called whose sequences are so many times as long as those of training."""


def further_scores(study: Study, table: pd.DataFrame) -> pd.DataFrame:
    """What the chosen models score on each further held-out split of their task, and on test.

    Every split is read once, with the weights that validation chose.

    Args:
        study: the records.
        table: see `tabulate`.

    Returns:
        One row a task, chosen model and split: `task`, `label`, `split`, the `multiple` of the
        trained length (1 for test, NaN for a split of another kind), and over the finished runs
        that have a score there the `mean`, the `half`-width of its 95 % interval, and `n`. Tasks
        without further splits have no rows.
    """
    rows = []
    for model in table.loc[table["chosen"] & (table["n"] > 0)].to_dict("records"):
        mine = study.runs["task_label"] == model["task"]
        finished = study.runs.loc[mine & (study.runs["status"] == "finished")]
        score = model["score"]
        splits = [one for one in _splits(study, finished) if f"{one}/{score}" in finished]
        seeds = finished.loc[finished["label"] == model["label"]]
        for split in ["test", *splits] if splits else []:
            scores = seeds["test" if split == "test" else f"{split}/{score}"]
            rows.append((model["task"], model["label"], split, _multiple(split), *estimate(scores)))
    columns = ["task", "label", "split", "multiple", "mean", "half", "n"]
    return pd.DataFrame(rows, columns=pd.Index(columns))


def length_figures(
    further: pd.DataFrame, rows: pd.DataFrame, looks: Mapping[str, Look]
) -> list[Figure]:
    """The score against the length of sequences, in multiples of the longest of training.

    Args:
        further: of one task, see `further_scores`.
        rows: the rows of the task in the table.
        looks: of each label.
    """
    known = further.dropna(subset=["multiple", "mean"]).sort_values("multiple")
    if len(set(known["multiple"])) < 2:
        return []
    task, score = rows[["task", "score"]].dropna().iloc[0]
    names = dict(zip(rows["label"], rows["name"], strict=True))
    with matplotlib.rc_context(canvas.STYLE):
        figure, ax = canvas.draw(*SIZE)
        ax.set(xlabel="length of sequences, times that of training", ylabel=spoken(score))
        half = known["half"].fillna(0)
        canvas.fit_y(ax, known["mean"], [*(known["mean"] - half), *(known["mean"] + half)])
        canvas.set_steps_x(ax, known["multiple"])
        handles = {}
        for label in (label for label in looks if label in set(known["label"])):
            look, mine = looks[label], known.loc[known["label"] == label]
            ends = mine["half"].fillna(0)
            line = {"color": look.colour, "linestyle": look.line, "linewidth": 1.4}
            mark = {"marker": look.marker, "markersize": 5, "markerfacecolor": PAPER}
            bars = ax.errorbar(mine["multiple"], mine["mean"], ends, elinewidth=1, **line, **mark)
            handles[names[label]] = bars[0]
        canvas.add_legend(figure, handles)
        name = file_name(task, "length")
        caption = f"{spoken(score).capitalize()} against the length of sequences"
        return [Figure(name, caption, canvas.svg(figure, name), canvas.pdf(figure), *SIZE)]


def _splits(study: Study, runs: pd.DataFrame) -> list[str]:
    """The names of the further splits of some runs, the shorter ones first."""
    names = dict.fromkeys(split for run in runs["run"] for split in study.files[run].run.held_out)
    return sorted(names, key=lambda split: (np.nan_to_num(_multiple(split)), split))


def _multiple(split: str) -> float:
    """By how much the sequences of a split are longer than those of training; NaN if not told."""
    if split == "test":
        return 1.0
    told = LONGER.fullmatch(split)
    return float(told[1]) if told else float("nan")
