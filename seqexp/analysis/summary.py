"""A study in plain sentences: what ran, which model is best and how surely, what the rest cost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from seqexp.analysis.axes import COMPARED
from seqexp.analysis.bootstrap import RESAMPLES
from seqexp.analysis.comparisons import compare
from seqexp.analysis.contenders import Contender
from seqexp.analysis.fronts import fronts
from seqexp.analysis.load import Study
from seqexp.analysis.notation import interval, spoken
from seqexp.analysis.records import STATUSES
from seqexp.analysis.table import recorded

SURE = 0.9
"""A model is said to dominate another if it does in this share of the resamples."""

TOLD = 3
"""Of longer lists so many are told."""


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


def verdict(rows: pd.DataFrame, baselines: Mapping[str, float], rivals: Sequence[Contender]) -> str:
    """Of one task: the best model by test score, whether it is surely so, and the Pareto fronts.

    Args:
        rows: the rows of one task in the table, the best first.
        baselines: scores that need no model.
        rivals: the contenders on the task, see `field`.
    """
    rows = rows.loc[rows["chosen"] & (rows["n"] > 0)]
    if rows.empty:
        return "No run has finished."
    best, *others = rows.to_dict("records")
    lower = best["goal"] == "min"
    text = (
        f"{best['label']} has the {'lowest' if lower else 'highest'} test {spoken(best['score'])}, "
        f"{interval(best['test'], best['test_half'])} over {_several(best['n'], 'seed')}"
        f"{_losses(best)}"
    )
    if others:
        second = others[0]
        text += f"; the runner-up is {second['label']}, "
        text += f"{interval(second['test'], second['test_half'])}{_losses(second)}"
    unbeaten = [
        f"{name} ({interval(value, float('nan'))})"
        for name, value in baselines.items()
        if (best["test"] >= value if lower else best["test"] <= value)
    ]
    if unbeaten:
        text += f". It does not beat {_listed(unbeaten)}"
    parts = [f"{text}.", _fronts(rows)]
    if others:
        parts.insert(1, _lead(best["label"], others[0]["label"], rivals))
        parts.append(_dominance(rows, rivals))
    return " ".join(part for part in parts if part)


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
    text = f"Over {tasks} tasks {first['contender']} has the best mean rank, {_rank(first)}"
    if pd.notna(first["best_probability"]):
        text += f", and the best in {_share(first['best_probability'])} of resamples of the seeds"
    following = [f"{row['contender']}, {_rank(row)}" for row in others[:TOLD]]
    text += f"; then {'; '.join(following)}"
    text += f"; and {len(others) - TOLD} more" if len(others) > TOLD else ""
    missing = list(ranks.loc[ranks["rank"].isna(), "contender"])
    names = _listed(missing) if len(missing) <= TOLD else f"{len(missing)} others"
    text += f". Not on every task, so without a rank: {names}" if missing else ""
    return f"{text}."


def _rank(row: dict[Any, Any]) -> str:
    if pd.isna(row["rank_low"]):
        return f"{row['rank']:.1f}"
    return f"{row['rank']:.1f} ({row['rank_low']:.1f} to {row['rank_high']:.1f})"


def _lead(best: str, second: str, rivals: Sequence[Contender]) -> str:
    """How the best compares with the runner-up over the seeds that both finished."""
    labels = {one.name: one.label for one in rivals}
    compared = compare({"": rivals}).replace({"a": labels, "b": labels})
    ours = compared["a"].isin([best, second]) & compared["b"].isin([best, second])
    [row] = compared.loc[ours].to_dict("records")
    n = row["n"]
    if n < 2:
        return f"They have {'one seed' if n else 'no seed'} in common, too few to compare by."
    lead, chance = row["advantage"], [row[f"improvement{end}"] for end in ("", "_low", "_high")]
    if row["a"] != best:  # they tie, and the other comes first by its name
        lead, chance = -lead, [1 - chance[0], 1 - chance[2], 1 - chance[1]]
    text = f"Over the {n} seeds that both finished it is {'behind' if lead < 0 else 'ahead'} by "
    half = row["advantage_half"]
    text += f"{interval(abs(lead) if abs(lead) > half / 100 else 0.0, half)}, p = {row['p']:.2g}"
    notes = []
    if row["comparisons"] > 1:
        notes.append(f"{row['p_holm']:.2g} corrected for {row['comparisons']} comparisons")
    if row["p"] == row["p_floor"]:
        notes.append(f"{n} pairs can give no less")
    text += f" ({'; '.join(notes)})" if notes else ""
    text += f"; a run of it beats one of {second} with probability {chance[0]:.2f}"
    return f"{text} ({chance[1]:.2f} to {chance[2]:.2f})."


def _dominance(rows: pd.DataFrame, rivals: Sequence[Contender]) -> str:
    """Which models dominate which others, cost by cost, in nearly all resamples of the seeds."""
    axes = {axis.key: axis.name for axis in recorded(COMPARED, rows)}
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
    found = sorted(worse.items(), key=lambda one: (place[one[0][0]], -len(one[0][1]), one[1]))
    parts = []
    for (a, keys), others in found[:TOLD]:
        ours = (sure["a"] == a) & sure["b"].isin(others) & sure["axis"].isin(keys)
        names = _listed(others) if len(others) <= TOLD else f"{len(others)} others"
        least = _share(sure.loc[ours, "probability"].min())
        parts.append(f"{a} dominates {names} on {_costs(keys, axes)} in {least}")
    more = sum(len(others) for _, others in found[TOLD:])
    parts += [f"{_several(more, 'more pair')} {'is' if more == 1 else 'are'} as clear"] * bool(more)
    without = [key for key in axes if key not in set(sure["axis"])]
    if without:
        on = "any cost" if len(without) == len(axes) else _costs(without, axes)
        parts.append(f"no model dominates another on {on} in {_share(SURE)}")
    return f"Of {RESAMPLES:,} resamples of the seeds, {'; '.join(parts)}."


def _costs(keys: Sequence[str], axes: Mapping[str, str]) -> str:
    """Some of the costs in words, all of them and most of them by what is missing."""
    missing = [name for key, name in axes.items() if key not in keys]
    if not missing:
        return "every cost"
    if len(missing) == 1 and len(axes) > 3:
        return f"every cost but {missing[0]}"
    return _listed([axes[key] for key in keys])


def _share(probability: float) -> str:
    """Whole percent; what is not certain is not called so."""
    if 0.995 <= probability < 1:
        return "more than 99 %"
    return f"{100 * probability:.0f} %"


def _losses(row: dict[Any, Any]) -> str:
    """The runs that a mean over the finished seeds does not show."""
    missing = [status for status in STATUSES if status != "finished" and row[status]]
    counts = _listed([f"{row[status]} {status}" for status in missing])
    return f" (not in the mean: {counts})" if missing else ""


def _fronts(rows: pd.DataFrame) -> str:
    """Which models are on the Pareto front against which costs."""
    axes = recorded(COMPARED, rows)
    if len(rows) == 1:
        return "There is no other model to compare its cost with."
    if not axes:
        return "No costs were recorded."
    names = {axis.key: axis.name for axis in axes}
    members: dict[str, list[str]] = defaultdict(list)
    for row in rows.to_dict("records"):
        keys = [axis.key for axis in axes if row[f"front/{axis.key}"]]
        members[_costs(keys, names)].append(row["label"])
    dominated = members.pop("", [])
    parts = [f"{_listed(labels)} against {costs}" for costs, labels in members.items()]
    if len(dominated) > 3:
        dominated = [f"the {len(dominated)} others"]
    on_none = f" On none: {_listed(dominated)}." if dominated else ""
    return f"On the Pareto front: {'; '.join(parts)}.{on_none}"


def _several(number: int, noun: str) -> str:
    return f"one {noun}" if number == 1 else f"{number} {noun}s"


def _listed(words: Sequence[str]) -> str:
    """a, b and c."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
