"""Who is compared: the models that validation chose, their test scores by seed, and one name each.

Nothing here reads a test score to choose: which runs stand for a model is settled by the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from seqexp.analysis.axes import COMPARED
from seqexp.analysis.load import Study
from seqexp.analysis.machines import apart
from seqexp.analysis.pareto import Goal
from seqexp.analysis.records import UNREADABLE
from seqexp.analysis.reproducibility import Spread, measurements, spreads
from seqexp.analysis.statistics import estimate
from seqexp.runs.identity import with_todays_names
from seqexp.runs.naming import Group, flatten, labels, of_model, told
from seqexp.runs.schema import Run


class Contender(NamedTuple):
    """A chosen model on one task.

    Attributes:
        name: what it is called on every task.
        label: what it is called on this one.
        model: the name of its model's config.
        seeds: `[n]` those of its finished runs, ascending.
        losses: `[n]` their test scores, negated where more is better: less is better here.
        costs: `[n, K]` what they cost, an axis of `COMPARED` a column; NaN where not known, and
            for times that are not compared, see `apart`.
        diverged: how many of its runs diverged.
        failed: how many failed.
        errors: `[K]` the relative standard errors of the medians of its costs; 0 for those that
            are counted.
    """

    name: str
    label: str
    model: str
    seeds: np.ndarray
    losses: np.ndarray
    costs: np.ndarray
    diverged: int
    failed: int
    errors: np.ndarray = np.zeros(len(COMPARED))

    @property
    def loss(self) -> float:
        """The mean of the losses; NaN without a finished run."""
        return estimate(self.losses).mean


def chosen_runs(study: Study, table: pd.DataFrame) -> pd.DataFrame:
    """The runs of all chosen models, and what each is called wherever it competes.

    Training settings of a model were chosen on validation and may differ between tasks, so they are
    no part of the name. It is the model's, with the settings of the architecture that vary between
    its chosen ones on a task: "gru features=64"; a width that was solved for a budget is told by
    the budget: "gru params=70000".

    Args:
        study: the records.
        table: see `tabulate`.

    Returns:
        The rows of `study.runs` whose label is chosen on its task, with `contender`.
    """
    chosen = set(zip(*table.loc[table["chosen"], ["task", "label"]].to_numpy().T, strict=True))
    keys = zip(study.runs["task_label"], study.runs["label"], strict=True)
    runs = study.runs.loc[[key in chosen for key in keys]]
    groups = [
        Group(task, model, group)
        for task, model, group in zip(runs["task_label"], runs["model"], runs["group"], strict=True)
    ]
    whole = runs["status"] != UNREADABLE
    settings = {
        group: _architecture(study.files[run].run)
        for group, run, known in zip(groups, runs["run"], whole, strict=True)
        if known
    }
    named = {group: label.whole for group, label in labels(settings).items()}
    unnamed = zip(groups, runs["label"], strict=True)
    runs = runs.assign(contender=[named.get(group, label) for group, label in unnamed])
    # Studies that met one budget in two ways have two models of one name on a task.
    alike = runs.groupby(["task_label", "contender"])["label"].transform("nunique")
    return runs.assign(contender=runs["contender"].where(alike == 1, runs["label"]))


def field(study: Study, table: pd.DataFrame) -> dict[str, list[Contender]]:
    """The contenders on each task, see `chosen_runs`."""
    runs, known, mixed = chosen_runs(study, table), spreads(study), apart(study)
    return {
        str(task): contenders(mine, known, timed=task not in mixed)
        for task, mine in runs.groupby("task_label")
    }


def contenders(
    runs: pd.DataFrame, known: Mapping[str, Spread], *, timed: bool = True
) -> list[Contender]:
    """The contenders on one task in the order of their labels.

    Args:
        runs: of the task, see `chosen_runs`.
        known: of each measured cost its spread, see `spreads`.
        timed: whether times are compared.
    """
    sign = -1 if goal(runs) == "max" else 1
    axes = [axis.key for axis in COMPARED]
    counted = np.array([not axis.spread for axis in COMPARED])
    found = []
    for label, mine in runs.groupby("label"):
        finished = (
            mine.loc[mine["status"] == "finished"].sort_values("seed").drop_duplicates("seed")
        )
        ends = list(mine["status"])
        costs = finished[axes].fillna(mine[axes].median()).to_numpy(float)
        costs = np.where(counted | timed, costs, np.nan)
        found.append(
            Contender(
                name=str(mine["contender"].iloc[0]),
                label=str(label),
                model=str(mine["model"].iloc[0]),
                seeds=finished["seed"].to_numpy(int),
                losses=sign * finished["test"].to_numpy(float),
                costs=costs,
                diverged=ends.count("diverged"),
                failed=ends.count("failed"),
                errors=_errors(costs, known),
            )
        )
    return found


def _errors(costs: np.ndarray, known: Mapping[str, Spread]) -> np.ndarray:
    """`[K]`: what one measurement varies by, less for several of them."""
    spread = np.array([known[axis.key].relative if axis.spread else 0.0 for axis in COMPARED])
    return spread / np.sqrt([measurements(column) for column in costs.T])


def baseline_losses(study: Study) -> dict[str, float]:
    """Of each task its best score that needs no model, if any, negated where more is better."""
    losses = {}
    for task, runs in study.runs.groupby("task_label"):
        sign = -1 if goal(runs) == "max" else 1
        scores = study.baselines(str(task)).values()
        if scores:
            losses[str(task)] = min(sign * score for score in scores)
    return losses


def goal(runs: pd.DataFrame) -> Goal:
    """Whether less or more is better on the task of the runs; less where no run says."""
    return "max" if "max" in set(runs["goal"]) else "min"


def _architecture(run: Run) -> dict[str, str]:
    settings = flatten(with_todays_names(run.config))
    return told({k: value for k, value in settings.items() if of_model(k)}, run.to_json())
