"""Answers in sentences: who gives the most for its cost, what tuning takes, how costs grow."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from seqexp.analysis.axes import COMPARED, GROWING
from seqexp.analysis.fronts import ALL
from seqexp.analysis.growth import SYMBOLS
from seqexp.analysis.notation import digits, interval, shortened, spoken
from seqexp.analysis.summary import SURE
from seqexp.analysis.wording import costs_in_words, listed, several

TOLD_GROWTH = ("step_seconds", "training_flops_per_step")
"""The costs whose growth is told in sentences."""


def answer(volumes: pd.DataFrame) -> list[str]:
    """Which kind of model gives the most for its cost: over all tasks, then on each of them.

    The kind that covers the most of the hypervolume against a cost gives the most for it, and on a
    task the one for which this is so against the most costs. Nothing is said where there is but one
    kind.

    Args:
        volumes: of each `task`, see `hypervolumes`.
    """
    costs = volumes.loc[volumes["axis"] != ALL]
    if costs["model"].nunique() < 2:
        return []
    winners: dict[str, list[str]] = {}
    said = []
    for task, rows in costs.groupby("task", sort=False):
        known = rows.dropna(subset=["share"])
        best, tied = _best(known)
        won = best["model"].value_counts(sort=False).sort_values(ascending=False, kind="stable")
        if best.empty:
            said.append(f"{task}: none; no model is better than what needs none.")
            continue
        most = [str(model) for model in won.index[won == won.iloc[0]]]
        which = most[0] if len(most) == 1 else f"{' or '.join(most)} (it depends on the cost)"
        winners.setdefault(which, []).append(str(task))
        said.append(f"{task}: {_winners(known.drop(tied), best, list(won.index))}.")
    if not winners:
        return ["No model is better than what needs none."]
    order = sorted(winners.items(), key=lambda one: -len(one[1]))
    tasks = costs["task"].nunique()
    parts = [f"{model} on {listed(where)}" for model, where in order]
    if tasks == 1:
        parts = list(winners)
    elif len(order[0][1]) == tasks:
        parts = [f"{order[0][0]} on {'both' if tasks == 2 else f'all {tasks}'} tasks"]
    return [f"Most performance for its cost: {'; '.join(parts)}.", *said]


def tuning(trials: pd.DataFrame, rows: pd.DataFrame, spent: pd.DataFrame) -> str:
    """Of one task: what to expect of few and of many runs, and what all of them have cost.

    Args:
        trials: of the task, see `tuning.trials`.
        rows: its rows in the table.
        spent: of the task, see `tuning_cost`.
    """
    score, goal = rows[["score", "goal"]].dropna().iloc[0]
    sign = -1 if goal == "max" else 1
    most = min(len(mine) for _, mine in trials.groupby("label"))
    best = []
    for n in dict.fromkeys((1, most)):
        at = trials.loc[trials["trials"] == n]
        loss = sign * at["expected_best"]
        tied = at.loc[loss == loss.min()]
        best.append((n, tied["expected_best"].iloc[0], listed(list(tied["name"]))))
    told = [
        f"{several(n, 'run')} {interval(value, float('nan'))} by {names}"
        for n, value, names in best
    ]
    parts = [f"The best validation {spoken(score)} to expect of {', of '.join(told)}."]
    runs, seconds, flops = (sum(spent[key].tolist()) for key in ("runs", "seconds", "flops"))
    costs = [f"{digits(seconds / 60)} min"] * (seconds > 0)
    costs += [f"{shortened(flops)}FLOPs"] * (flops > 0)
    if costs:
        parts.append(f"All {runs} runs took {listed(costs)} of training together.")
    return " ".join(parts)


def growing(growth: pd.DataFrame) -> list[str]:
    """How the time and the FLOPs of a training step grow, from the least exponent to the greatest.

    Args:
        growth: see `exponents`.
    """
    said, tasks = [], len(set(growth["task"]))
    for axis in (axis for axis in GROWING if axis.key in TOLD_GROWTH):
        parts = []
        for varied, fits in growth.loc[growth["cost"] == axis.key].groupby("varied", sort=False):
            symbol, order = SYMBOLS[str(varied)], fits.sort_values("exponent", kind="stable")
            ends = [order.iloc[0], order.iloc[-1]][: len(order)]
            told = [
                f"{symbol}^{fit['exponent']:.2f} ({fit['label']}"
                + (f" on {fit['task']})" if tasks > 1 else ")")
                for fit in ends
            ]
            parts.append(" to ".join(told))
        if parts:
            many = "the number of " if axis.name.startswith("FLOPs") else ""
            text = f"{many}{axis.name} grows as {', and as '.join(parts)}."
            said.append(text[0].upper() + text[1:])
    return said


def _best(rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.Index]:
    """Of each cost a row with the largest share, and all rows that have it.

    Models that tie are told by all their names.
    """
    most = rows.groupby("axis")["share"].transform("max")
    tied = rows.loc[np.isclose(rows["share"], most, rtol=1e-9, atol=0)]
    names = tied.groupby("axis", sort=False)["model"].agg(lambda names: listed(list(names)))
    best = tied.drop_duplicates("axis")
    return best.assign(model=best["axis"].map(names)), tied.index


def _winners(rows: pd.DataFrame, best: pd.DataFrame, models: Sequence[str]) -> str:
    """The costs for which each model gives the most on a task, how much more, and how surely."""
    axes = {axis.key: axis.name for axis in COMPARED if axis.key in set(best["axis"])}
    others = rows.groupby("axis")["share"].max()
    parts = []
    for model in models:
        mine = best.loc[best["model"] == model].set_index("axis")
        text = f"{model} against {costs_in_words(list(mine.index), axes)}"
        next_best = (others / mine["share"]).dropna()
        if len(next_best):
            ends = dict.fromkeys(f"{100 * end:.0f}" for end in (next_best.min(), next_best.max()))
            text += f" (the next covers {' to '.join(ends)} % as much"
            text += ", not settled)" if mine["most"].min() < SURE else ")"
        parts.append(text)
    return "; ".join(parts)
