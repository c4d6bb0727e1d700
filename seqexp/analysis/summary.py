"""A study in plain sentences: what ran, which model is best and how surely, what the rest cost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import pandas as pd

from seqexp.analysis.axes import COMPARED
from seqexp.analysis.load import Study
from seqexp.analysis.notation import interval, spoken
from seqexp.analysis.records import STATUSES
from seqexp.analysis.statistics import Estimate, overlap


def overview(study: Study) -> str:
    """What ran and how it ended: "12 runs of 4 models on one task: 11 finished, 1 diverged."."""
    counts = study.runs["status"].value_counts()
    ends = [f"{counts[status]} {status}" for status in STATUSES if status in counts]
    models = _several(study.runs["model"].nunique(), "model")
    tasks = _several(study.runs["task_label"].nunique(), "task")
    text = f"{_several(len(study.runs), 'run')} of {models} on {tasks}: {_list(ends)}."
    if study.problems:
        text += f" {_several(len(study.problems), 'thing')} in the records could not be used."
    return text[0].upper() + text[1:]


def verdict(rows: pd.DataFrame, baselines: Mapping[str, float]) -> str:
    """Of one task: the best model by test score, whether it is surely so, and the Pareto fronts.

    Args:
        rows: the rows of one task in the table.
        baselines: scores that need no model.
    """
    rows = rows[rows["chosen"] & (rows["n"] > 0)]
    if rows.empty:
        return "No run has finished yet."
    goal = rows["goal"].iloc[0]
    best, *others = rows.to_dict("records")
    score = _estimate(best)
    text = (
        f"{best['label']} has the {'lowest' if goal == 'min' else 'highest'} test "
        f"{spoken(best['score'])}, {interval(score.mean, score.half)} over "
        f"{_several(score.n, 'seed')}{_losses(best)}"
    )
    if others:
        text += _distance(score, others[0])
    unbeaten = [
        f"{name} ({interval(value, float('nan'))})"
        for name, value in baselines.items()
        if (score.mean >= value if goal == "min" else score.mean <= value)
    ]
    text += f". It does not beat {_list(unbeaten)}" if unbeaten else ""
    return f"{text}. {_fronts(rows)}"


def _distance(best: Estimate, row: dict) -> str:
    """How the best compares with the runner-up."""
    second = _estimate(row)
    named = f"{row['label']}, {interval(second.mean, second.half)}{_losses(row)}"
    meet = overlap(best, second)
    if meet is None:
        return f"; the runner-up is {named}, and without an interval for both this may be chance"
    return (
        f"; its interval {'overlaps' if meet else 'does not overlap'} that of the runner-up, {named}"
    )


def _losses(row: dict) -> str:
    """What a mean over the finished seeds does not show."""
    lost = [f"{row[status]} {status}" for status in ("diverged", "failed") if row[status]]
    return f" ({_list(lost)} not counted)" if lost else ""


def _fronts(rows: pd.DataFrame) -> str:
    """Which models are on the Pareto front against which costs."""
    if len(rows) == 1:
        return "There is no other model to compare its cost with."
    axes = [axis for axis in COMPARED if rows[axis.key].notna().any()]
    if not axes:
        return "No costs were recorded."
    members: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for row in rows.to_dict("records"):
        members[tuple(axis.name for axis in axes if row[f"front/{axis.key}"])].append(row["label"])
    dominated = members.pop((), [])
    parts = [
        f"{_list(names)} against "
        + ("every cost" if len(costs) == len(axes) else _list(costs))
        for costs, names in members.items()
    ]
    text = f"On the Pareto front: {'; '.join(parts)}."
    return text + (f" On none: {_list(dominated)}." if dominated else "")


def _estimate(row: dict) -> Estimate:
    return Estimate(row["test"], row["test_half"], row["n"])


def _several(number: int, noun: str) -> str:
    return f"one {noun}" if number == 1 else f"{number} {noun}s"


def _list(words: Sequence[str]) -> str:
    """a, b and c."""
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last
