"""What it takes to tune a model: how it minds its learning rate, and what the search cost.

All of it is read from the validation split. A model's settings are its rows of the table that
differ only in how they are trained; it is told by its `label` of the setting that was chosen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from seqexp.analysis.contenders import goal
from seqexp.analysis.efficiency import spent
from seqexp.analysis.load import Study
from seqexp.analysis.machines import apart
from seqexp.analysis.pareto import Goal
from seqexp.analysis.records import LOST, STATUSES, TRAINED, UNREADABLE
from seqexp.analysis.table import by_preference, families, losses, lost_share

RATE = "config/optimizer.learning_rate"
TOLERANCE = 0.1
"""A rate works if it loses at most this share of the best one's lead over the baseline."""

LEAST = -746.0
"""e to this power, or to a lesser one, is zero as a float."""

TERMS = 2**20
"""So many terms of a sum are held in memory at once."""


class Window(NamedTuple):
    """The learning rates that work.

    Attributes:
        best: the rate that was chosen.
        low: the least rate of those around the best, without a gap, that work.
        high: the greatest.
        decades: log10 of high / low; 0 if only the best one works.
        bounded: whether rates that do not work were tried below and above: if not, the window is at
            least so wide.
    """

    best: float
    low: float
    high: float
    decades: float
    bounded: bool


def window(
    rates: Iterable[float],
    losses: Iterable[float],
    lost: Iterable[float],
    worst: float,
    *,
    tolerance: float = TOLERANCE,
) -> Window:
    """The window of rates that work: those that lose no more seeds than the best, and for which

        loss <= best + tolerance (worst - best)

    The best is the least loss among the rates that lost the smallest share of seeds. Only rates
    that were tried count, nothing is interpolated.

    Args:
        rates: `[m]`, in any order.
        losses: `[m]` mean validation losses (scores, negated where more is better); NaN for none.
        lost: `[m]` shares of seeds that diverged or failed.
        worst: the loss that the lead of the best is measured from: of a baseline; where that is no
            worse than the best, the worst of the losses counts.
        tolerance: what share of the lead may be lost.
    """
    rate, loss, gone = (np.array([*values], dtype=float) for values in (rates, losses, lost))
    order = np.argsort(rate)
    rate, loss, gone = rate[order], loss[order], gone[order]
    known = np.isfinite(loss)
    if not known.any():
        return Window(np.nan, np.nan, np.nan, np.nan, False)
    fewest = gone[known].min()
    best = int(np.argmin(np.where(known & (gone == fewest), loss, np.inf)))
    worst = worst if worst > loss[best] else loss[known].max()
    works = known & (gone <= fewest) & (loss <= loss[best] + tolerance * (worst - loss[best]))
    gaps = np.flatnonzero(~works)
    below, above = gaps[gaps < best], gaps[gaps > best]
    first = below[-1] + 1 if len(below) else 0
    last = above[0] - 1 if len(above) else len(rate) - 1
    low, high = float(rate[first]), float(rate[last])
    bounded = bool(len(below) and len(above))
    return Window(float(rate[best]), low, high, float(np.log10(high / low)), bounded)


def expected_best(scores: Iterable[float], goal: Goal) -> np.ndarray:
    """`[N]`: the expected best score of n = 1 ... N trials, drawn with replacement from N scores.

        E[max of n] = sum_i v_(i) ((i / N)^n - ((i - 1) / N)^n),   v_(1) <= ... <= v_(N)

    Drawing with replacement it is too low for n near N (Tang et al. 2020,
    https://aclanthology.org/2020.acl-main.246): read its left part.

    Args:
        scores: `[N]` validation scores, each of a trial.
        goal: "min" or "max".

    Dodge et al. (2019), "Show your work", https://arxiv.org/abs/1909.03004
    """
    v = np.sort(np.array([*scores], dtype=float))
    v = v if goal == "max" else v[::-1]
    share = np.arange(len(v) + 1) / max(1, len(v))
    best = np.zeros(len(v))
    done = 0
    while done < len(v):
        # Below this i, (i / N)^n is too small for a float: N log N terms are left of N^2.
        start = int(len(v) * np.exp(LEAST / (done + 1)))
        count = min(len(v) - done, max(1, TERMS // (len(v) - start)))
        n = np.arange(done + 1, done + count + 1)[:, None]
        best[done : done + count] = np.diff(share[start:] ** n, axis=-1) @ v[start:]
        done += count
    return best


def sensitivity(study: Study, table: pd.DataFrame) -> pd.DataFrame:
    """The validation score of each model for each learning rate that was tried.

    Where other training settings vary too, a rate stands with the best of them on validation.

    Args:
        study: the records.
        table: see `tabulate`.

    Returns:
        A row a task, model and rate, by ascending rate: `task`, `label` of the model, `setting`
        (the label with this rate), `learning_rate`, `n` seeds trained to the end with their mean
        `valid` and its `valid_half`, the runs by how they ended (`STATUSES`), and `lost`, the share
        of diverged and failed among those that ended. Empty where no rates were recorded.
    """
    rows, rates = _named(table.loc[by_preference(table)]), _rates(study.runs)
    keys = zip(rows["task"], rows["setting"], strict=True)
    rows["learning_rate"] = [rates.get(key, np.nan) for key in keys]
    rows = rows.loc[rows["learning_rate"] > 0]
    rows = rows.drop_duplicates(["task", "label", "learning_rate"])
    rows = rows.assign(lost=lost_share(rows), n=rows[[*TRAINED]].sum(axis=1))
    columns = ["task", "label", "setting", "learning_rate", "n", "valid", "valid_half", "goal"]
    columns += [*STATUSES, "lost"]
    rows = rows.sort_values(["task", "label", "learning_rate"], ignore_index=True)
    return rows.loc[:, columns]


def windows(
    rates: pd.DataFrame, baselines: Mapping[str, float], *, tolerance: float = TOLERANCE
) -> pd.DataFrame:
    """The window of learning rates of every model.

    Args:
        rates: see `sensitivity`.
        baselines: of each task the best loss that needs no model, see `baseline_losses`.
        tolerance: see `window`.

    Returns:
        A row a task and model: `task`, `label`, `rates` that were tried, and the fields of
        `Window`.
    """
    rows = []
    for _, mine in rates.groupby(["task", "label"]):
        task, label = mine[["task", "label"]].iloc[0]
        loss, lost = losses(mine, "valid"), mine["lost"].fillna(1)
        worst = baselines.get(task, -np.inf)
        found = window(mine["learning_rate"], loss, lost, worst, tolerance=tolerance)
        rows.append((task, label, len(mine), *found))
    return pd.DataFrame(rows, columns=pd.Index(["task", "label", "rates", *Window._fields]))


def trials(study: Study, table: pd.DataFrame, baselines: Mapping[str, float]) -> pd.DataFrame:
    """What the best of some runs of each model can be expected to score on validation.

    A trial is a run: a setting together with a seed. One that diverged or failed counts as the
    worst of the model's runs, or as the baseline where that is worse; one still running, not.
    Models that were trained in one way alone were not tuned, and are left out.

    Args:
        study: the records.
        table: see `tabulate`.
        baselines: of each task the best loss that needs no model, see `baseline_losses`.

    Returns:
        A row a task, model and number of trials: `task`, `label`, `name`, `trials`, what so many
        take in the mean, training `seconds` (none where times are not compared, see `apart`) and
        `flops`, and `expected_best`. Models of which no run finished have none.
    """
    rows = []
    tried = _tried(study, table).merge(spent(study), on="run", how="left")
    tried["seconds"] = tried["seconds"].mask(tried["task"].isin([*apart(study)]))
    for _, runs in tried.loc[tried["status"].isin([*TRAINED, *LOST])].groupby(["task", "label"]):
        key = tuple(runs[["task", "label", "name"]].iloc[0])
        sign = -1 if goal(runs) == "max" else 1
        loss = sign * runs["valid"].where(runs["status"].isin(TRAINED))
        if loss.notna().any() and runs["setting"].nunique() > 1:
            worst = max(float(loss.max()), baselines.get(key[0], -np.inf))
            best = sign * expected_best(loss.fillna(worst), "min")
            cost = runs[["seconds", "flops"]].mean().to_numpy()
            rows += [(*key, n, *(n * cost), value) for n, value in enumerate(best, start=1)]
    columns = ["task", "label", "name", "trials", "seconds", "flops", "expected_best"]
    return pd.DataFrame(rows, columns=pd.Index(columns))


def tuning_cost(study: Study, table: pd.DataFrame) -> pd.DataFrame:
    """What all runs of a model cost together, those of the settings not chosen included.

    Args:
        study: the records.
        table: see `tabulate`.

    Returns:
        A row a task and model: `task`, `label`, `name`, `settings` tried, `runs`, `diverged` and
        `failed` of them, training `seconds` and `flops` as far as recorded, and `unmeasured`, the
        runs of which one of the two is not known.
    """
    runs = _tried(study, table).merge(spent(study), on="run", how="left")
    unmeasured = runs["seconds"].isna() | runs["flops"].isna()
    runs = runs.assign(
        diverged=runs["status"] == "diverged",
        failed=runs["status"] == "failed",
        unmeasured=unmeasured,
    )
    return runs.groupby(["task", "label", "name"], as_index=False).agg(
        settings=("setting", "nunique"),
        runs=("run", "size"),
        diverged=("diverged", "sum"),
        failed=("failed", "sum"),
        seconds=("seconds", "sum"),
        flops=("flops", "sum"),
        unmeasured=("unmeasured", "sum"),
    )


def _named(table: pd.DataFrame) -> pd.DataFrame:
    """The table with `setting` in the place of `label`, which becomes that of the chosen one."""
    family, chosen = families(table), table["chosen"]
    label = dict(zip(family[chosen], table.loc[chosen, "label"], strict=True))
    name = dict(zip(family[chosen], table.loc[chosen, "name"], strict=True))
    return table.assign(
        setting=table["label"],
        label=[label[number] for number in family],
        name=[name[number] for number in family],
    )


def _tried(study: Study, table: pd.DataFrame) -> pd.DataFrame:
    """The runs with the `task`, `setting`, `label` and `name` of their row in the table."""
    rows = _named(table).loc[:, ["task", "setting", "label", "name"]]
    runs = study.runs.drop(columns=["task", "name"])
    runs = runs.rename(columns={"task_label": "task", "label": "setting"})
    return runs.merge(rows, on=["task", "setting"])


def _rates(runs: pd.DataFrame) -> dict[tuple[str, str], float]:
    """Of each task and label its learning rate; NaN where it is not a number."""
    if RATE not in runs:
        return {}
    runs = runs.loc[runs["status"] != UNREADABLE]  # of which no setting is known
    keys = zip(runs["task_label"], runs["label"], strict=True)
    rates = runs.assign(rate=pd.to_numeric(runs[RATE], errors="coerce"))["rate"]
    return dict(zip(keys, rates, strict=True))
