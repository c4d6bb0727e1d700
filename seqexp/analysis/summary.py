"""A study in plain sentences: what ran, which model is best and how surely, what the rest cost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from seqexp.analysis.axes import COMPARED
from seqexp.analysis.load import Study
from seqexp.analysis.notation import interval, spoken
from seqexp.analysis.records import STATUSES
from seqexp.analysis.statistics import Estimate, overlap
from seqexp.analysis.table import recorded


def overview(study: Study) -> str:
    """What ran and how it ended: "12 runs of 4 models on one task: 11 finished, 1 diverged."."""
    ended = list(study.runs["status"])
    ends = [f"{ended.count(status)} {status}" for status in STATUSES if status in ended]
    models = _several(len(set(study.runs["model"])), "model")
    tasks = _several(len(set(study.runs["task_label"])), "task")
    text = f"{_several(len(ended), 'run')} of {models} on {tasks}: {_listed(ends)}."
    if study.problems:
        text += ' Not everything in the records could be used, see "Left out".'
    return text[0].upper() + text[1:]


def verdict(rows: pd.DataFrame, baselines: Mapping[str, float]) -> str:
    """Of one task: the best model by test score, whether it is surely so, and the Pareto fronts.

    Args:
        rows: the rows of one task in the table, the best first.
        baselines: scores that need no model.
    """
    rows = rows.loc[rows["chosen"] & (rows["n"] > 0)]
    if rows.empty:
        return "No run has finished."
    best, *others = rows.to_dict("records")
    score, lower = _estimate(best), best["goal"] == "min"
    text = (
        f"{best['label']} has the {'lowest' if lower else 'highest'} test {spoken(best['score'])}, "
        f"{interval(score.mean, score.half)} over {_several(score.n, 'seed')}{_losses(best)}"
    )
    if others:
        text += f"; {_distance(score, others[0])}"
    unbeaten = [
        f"{name} ({interval(value, float('nan'))})"
        for name, value in baselines.items()
        if (score.mean >= value if lower else score.mean <= value)
    ]
    if unbeaten:
        text += f". It does not beat {_listed(unbeaten)}"
    return f"{text}. {_fronts(rows)}"


def _distance(best: Estimate, row: dict[Any, Any]) -> str:
    """How the best compares with the runner-up."""
    second = _estimate(row)
    named = f"{row['label']}, {interval(second.mean, second.half)}{_losses(row)}"
    meet = overlap(best, second)
    if meet is None:
        return f"the runner-up is {named}, and one seed gives no interval to compare by"
    verb = "overlaps" if meet else "does not overlap"
    return f"its interval {verb} that of the runner-up, {named}"


def _losses(row: dict[Any, Any]) -> str:
    """The runs that a mean over the finished seeds does not show."""
    missing = [status for status in STATUSES if status != "finished" and row[status]]
    counts = _listed([f"{row[status]} {status}" for status in missing])
    return f" (not counted: {counts})" if missing else ""


def _fronts(rows: pd.DataFrame) -> str:
    """Which models are on the Pareto front against which costs."""
    axes = recorded(COMPARED, rows)
    if len(rows) == 1:
        return "There is no other model to compare its cost with."
    if not axes:
        return "No costs were recorded."
    members: dict[str, list[str]] = defaultdict(list)
    for row in rows.to_dict("records"):
        names = [axis.name for axis in axes if row[f"front/{axis.key}"]]
        members["every cost" if len(names) == len(axes) else _listed(names)].append(row["label"])
    dominated = members.pop("", [])
    parts = [f"{_listed(labels)} against {costs}" for costs, labels in members.items()]
    if len(dominated) > 3:
        dominated = [f"the {len(dominated)} others"]
    on_none = f" On none: {_listed(dominated)}." if dominated else ""
    return f"On the Pareto front: {'; '.join(parts)}.{on_none}"


def _estimate(row: dict[Any, Any]) -> Estimate:
    return Estimate(row["test"], row["test_half"], row["n"])


def _several(number: int, noun: str) -> str:
    return f"one {noun}" if number == 1 else f"{number} {noun}s"


def _listed(words: Sequence[str]) -> str:
    """a, b and c."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
