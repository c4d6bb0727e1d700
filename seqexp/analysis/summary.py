"""A study in plain sentences: what ran, which model is best and how surely, what the rest cost."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from seqexp.analysis.bootstrap import RESAMPLES
from seqexp.analysis.comparisons import compare
from seqexp.analysis.contenders import Contender
from seqexp.analysis.fronts import fronts
from seqexp.analysis.load import Study
from seqexp.analysis.notation import interval, spoken
from seqexp.analysis.records import STATUSES
from seqexp.analysis.table import compared
from seqexp.analysis.wording import costs_in_words, endings, listed, not_in_mean, several, share

SURE = 0.9
"""A model is said to dominate another if it does in this share of the resamples."""

TOLD, TOLD_PAIRS = 3, 2
"""Of longer lists so many are told, and of models that dominate others."""


def overview(study: Study) -> str:
    """What ran and how it ended: "12 runs of 4 models on one task: 11 finished, 1 diverged."."""
    ended = list(study.runs["status"])
    ends = endings({status: ended.count(status) for status in STATUSES})
    models = several(len(set(study.runs["model"])), "model")
    tasks = several(len(set(study.runs["task_label"])), "task")
    text = f"{several(len(ended), 'run')} of {models} on {tasks}: {ends}."
    if study.unrecorded:
        count = several(len(study.unrecorded), "planned run")
        text += f' Beside these, {count} left no record: see "Planned, without a record".'
    if study.unread:
        text += f" Beside these, {several(study.unread, 'record')} could not be read at all."
    if study.problems:
        text += f' {several(len(study.problems), "problem")} with the records: see "Left out".'
    return text[0].upper() + text[1:]


def verdict(
    rows: pd.DataFrame, baselines: Mapping[str, float], rivals: Sequence[Contender]
) -> list[str]:
    """Of one task: the best model by test score and how surely; the Pareto fronts; who dominates.

    Args:
        rows: the rows of one task in the table, the best first.
        baselines: scores that need no model.
        rivals: the contenders on the task, see `field`.
    """
    rows = rows.loc[rows["chosen"] & (rows["n"] > 0)]
    if rows.empty:
        return ["No run has finished."]
    best, *others = rows.to_dict("records")
    lower = best["goal"] == "min"
    tied = [best["name"], *(row["name"] for row in others if row["test"] == best["test"])]
    text = (
        f"{listed(tied)} {'has' if len(tied) == 1 else 'are tied for'} the "
        f"{'lowest' if lower else 'highest'} test {spoken(best['score'])}, "
        f"{interval(best['test'], best['test_half'])} (n = {best['n']}){_losses(best)}"
    )
    if pd.notna(best["test_sampling_half"]):
        text += (
            f", ± {best['test_sampling_half']:.2g} by sampling {best['test_targets']:,.0f} targets"
        )
    if others and len(tied) == 1:
        second = others[0]
        text += f"; next is {second['name']}, "
        text += f"{interval(second['test'], second['test_half'])}{_losses(second)}"
    unbeaten = [
        f"{name} ({interval(value, float('nan'))})"
        for name, value in baselines.items()
        if (best["test"] >= value if lower else best["test"] <= value)
    ]
    if unbeaten:
        text += f". It does not beat {listed(unbeaten)}"
    if not others:
        return [f"{text}.", _fronts(rows)]
    first = f"{text}. {_lead(best['name'], others[0]['name'], rivals)}"
    return [part for part in (first, _fronts(rows), _dominance(rows, rivals)) if part]


def ranking(ranks: pd.DataFrame) -> str:
    """Over all tasks: who has the best mean rank, and how surely; nothing for one task.

    Args:
        ranks: see `rank`.
    """
    tasks = max(ranks["tasks"], default=0)
    ranked = ranks.loc[ranks["rank"].notna()].to_dict("records")
    if tasks < 2 or len(ranked) < 2:
        return ""
    first, *others = ranked
    tied = [row for row in ranked if math.isclose(row["rank"], first["rank"])]
    if len(tied) > 1:
        names = listed([f"{row['contender']}, {_rank(row)}," for row in tied])
        text, others = (
            f"Over {tasks} tasks {names} are tied for the best mean rank",
            ranked[len(tied) :],
        )
    else:
        text = f"Over {tasks} tasks {first['contender']} has the best mean rank, {_rank(first)}"
    if len(tied) == 1 and pd.notna(first["best_probability"]):
        text += f", and the best in {share(first['best_probability'])} of resamples of the seeds"
    following = [f"{row['contender']}, {_rank(row)}" for row in others[:TOLD]]
    text += f"; then {'; '.join(following)}" if following else ""
    text += f"; and {len(others) - TOLD} more" if len(others) > TOLD else ""
    missing = list(ranks.loc[ranks["rank"].isna(), "contender"])
    names = listed(missing) if len(missing) <= TOLD else f"{len(missing)} others"
    text += f". Not on every task, so without a rank: {names}" if missing else ""
    return f"{text}."


def _rank(row: dict[Any, Any]) -> str:
    if pd.isna(row["rank_low"]):
        return f"{row['rank']:.1f}"
    return f"{row['rank']:.1f} ({row['rank_low']:.1f} to {row['rank_high']:.1f})"


def _lead(best: str, second: str, rivals: Sequence[Contender]) -> str:
    """How the best compares with the runner-up over the seeds that both finished."""
    compared = compare({"": rivals})
    ours = compared["a"].isin([best, second]) & compared["b"].isin([best, second])
    [row] = compared.loc[ours].to_dict("records")
    n, lead, half = row["n"], row["advantage"], row["advantage_half"]
    if n < 2:
        return f"They have {'one seed' if n else 'no seed'} in common, too few to compare by."
    lead = lead if row["a"] == best else -lead  # they tie, and the other comes first by its name
    if abs(lead) <= half / 100 and half == 0:
        return f"Over the {n} seeds that both finished they are tied."
    tied = abs(lead) <= half / 100
    stands = "they are tied:" if tied else f"it is {'behind' if lead < 0 else 'ahead'} by"
    text = f"Over the {n} seeds that both finished {stands} "
    text += f"{interval(0.0 if tied else abs(lead), half)} (p = {row['p']:.2g}"
    if row["comparisons"] > 1:
        text += f", {row['p_holm']:.2g} corrected for {row['comparisons']} comparisons"
    text += f"; {n} pairs can give no less" if row["p"] == row["p_floor"] else ""
    return f"{text})."


def _dominance(rows: pd.DataFrame, rivals: Sequence[Contender]) -> str:
    """Which models dominate which others, cost by cost, in nearly all resamples of the seeds."""
    axes = {axis.key: axis.name for axis in compared(rows)}
    pairs = fronts(rivals).dominates.dropna()
    pairs = pairs.loc[pairs["axis"].isin(list(axes))]
    if pairs.empty:
        return ""
    sure = pairs.loc[pairs["probability"] >= SURE]
    costs: dict[tuple[str, str], list[str]] = defaultdict(list)
    for axis, a, b in sure[["axis", "a", "b"]].to_numpy():
        costs[a, b].append(axis)
    worse: dict[tuple[str, tuple[str, ...]], list[str]] = defaultdict(list)
    for (a, b), keys in costs.items():
        worse[a, tuple(keys)].append(b)
    place = {label: i for i, label in enumerate(rows["label"])}
    called = dict(zip(rows["label"], rows["name"], strict=True))
    found = sorted(worse.items(), key=lambda one: (place[one[0][0]], -len(one[0][1]), one[1]))
    parts = []
    for (a, keys), others in found[:TOLD_PAIRS]:
        ours = (sure["a"] == a) & sure["b"].isin(others) & sure["axis"].isin(keys)
        names = listed([called[b] for b in others])
        names = names if len(others) <= TOLD else f"{len(others)} others"
        least = share(sure.loc[ours, "probability"].min())
        parts.append(f"{called[a]} dominates {names} on {costs_in_words(keys, axes)} in {least}")
    more = sum(len(others) for _, others in found[TOLD_PAIRS:])
    parts += [f"{several(more, 'more pair')} {'is' if more == 1 else 'are'} as clear"] * bool(more)
    without = [key for key in axes if key not in set(sure["axis"])]
    if without:
        on = "any cost" if len(without) == len(axes) else costs_in_words(without, axes)
        parts.append(f"no model dominates another on {on} in {share(SURE)}")
    return f"Of {RESAMPLES:,} resamples of seeds and measured costs, {'; '.join(parts)}."


def _losses(row: dict[Any, Any]) -> str:
    """The runs that a mean over the finished seeds does not show."""
    missing = not_in_mean(row)
    return f" (not in the mean: {missing})" if missing else ""


def _fronts(rows: pd.DataFrame) -> str:
    """Which models are on the Pareto front against which costs."""
    axes = compared(rows)
    if len(rows) == 1:
        return "There is no other model to compare its cost with."
    mixed = "Times are not compared: they were measured on different machines."
    without_times = mixed if False in set(rows["timed"]) else ""
    if not axes:
        return without_times or "No costs were recorded."
    costs = {axis.key: axis.name for axis in axes}
    members: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for row in rows.to_dict("records"):
        keys = (axis.key for axis in axes if row[f"front/{axis.key}"])
        members[tuple(keys)].append(row["name"])
    dominated = members.pop((), [])
    groups = sorted(members.items(), key=lambda group: -len(group[0]))
    parts = [
        f"{listed(names)} against {costs_in_words(keys, costs)}" for keys, names in groups[:TOLD]
    ]
    more = sum(len(names) for _, names in groups[TOLD:])
    parts += [f"{more} more against some"] * bool(more)
    if len(dominated) > TOLD:
        dominated = [f"the {len(dominated)} others"]
    on_none = f" On none: {listed(dominated)}." if dominated else ""
    return f"On the Pareto front: {'; '.join(parts)}.{on_none} {without_times}".rstrip()
