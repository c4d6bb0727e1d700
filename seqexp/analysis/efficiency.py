"""How fast models learn: their scores on validation, and what they took to reach one."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from seqexp.analysis.contenders import chosen_runs
from seqexp.analysis.load import Study
from seqexp.analysis.machines import apart
from seqexp.analysis.records import TRAINED

MEASURES = ("step", "examples", "tokens", "flops", "seconds")
"""What training takes.

    flops = steps * training FLOPs of a step,   seconds = steps * seconds of a step

with the costs that were measured alone, before training: the clock of a sweep also tells how many
runs were trained side by side.
"""

COSTS = ["training_flops_per_step", "step_seconds"]
"""What they are told by, of the ledger."""


def spent(study: Study) -> pd.DataFrame:
    """What each run took up to its last record: `run`, `seconds` and `flops`, see `MEASURES`; NaN
    where not known."""
    last = study.curves.groupby("run", as_index=False)[["step"]].max()
    runs = study.runs.loc[:, ["run", *COSTS]].merge(last, on="run", how="left")
    runs = _measured(runs)
    return runs.loc[:, ["run", "seconds", "flops"]]


def evaluations(study: Study, table: pd.DataFrame) -> pd.DataFrame:
    """The validation scores of all runs of the chosen models, in the order of the steps.

    Args:
        study: the records.
        table: see `tabulate`.

    Returns:
        A row a run and evaluation: `run`, `task`, `label`, `contender`, `seed`, `status`, the
        `MEASURES` up to then (no seconds where times are not compared, see `apart`), `valid`, and
        `loss`, which is `valid` negated where more is better.
    """
    runs = chosen_runs(study, table)
    runs = runs.assign(metric="valid/" + runs["score"].astype(str), task=runs["task_label"])
    kept = ["run", "task", "label", "contender", "seed", "status", "goal", "metric"]
    curves = study.curves.drop(columns="seconds").merge(runs[[*kept, *COSTS]], on=["run", "metric"])
    curves = _measured(curves.dropna(subset=["value"]).rename(columns={"value": "valid"}))
    curves["seconds"] = curves["seconds"].mask(curves["task"].isin([*apart(study)]))
    curves["loss"] = curves["valid"].where(curves["goal"] != "max", -curves["valid"])
    columns = [*kept[:6], *MEASURES, "valid", "loss", "goal"]
    curves = curves.sort_values(["task", "label", "seed", "run", "step"], ignore_index=True)
    return curves.loc[:, columns]


def common_targets(curves: pd.DataFrame) -> dict[str, float]:
    """Of each task the best validation score that every finished run of every chosen model reached.

    The worst over runs of the best over a run's evaluations. A model that does not learn makes it
    an easy target: then name one.

    Args:
        curves: see `evaluations`.
    """
    finished = curves.loc[curves["status"].isin(TRAINED)]
    best = finished.loc[finished.groupby("run")["loss"].idxmin()]
    worst = best.loc[best.groupby("task")["loss"].idxmax()]
    return dict(zip(worst["task"], worst["valid"], strict=True))


def to_target(
    study: Study, table: pd.DataFrame, targets: Mapping[str, float] | None = None
) -> pd.DataFrame:
    """What each run of the chosen models took until its validation score first reached a target.

    Known as far as runs were evaluated: it may have been reached any time since the evaluation
    before.

    Args:
        study: the records.
        table: see `tabulate`.
        targets: of each task a score; tasks without one are left out. By default `common_targets`.

    Returns:
        A row a run: `run`, `task`, `label`, `contender`, `seed`, `status`, `target`, `reached`, and
        the `MEASURES`: infinite for a run that finished or diverged before it reached the target,
        NaN for one that failed or still runs, and where they were not recorded.
    """
    curves = evaluations(study, table)
    runs = chosen_runs(study, table)
    runs = runs.drop(columns="task").rename(columns={"task_label": "task"})
    wanted = common_targets(curves) if targets is None else targets
    runs = runs.assign(target=[wanted.get(task, np.nan) for task in runs["task"]])
    runs = runs.dropna(subset=["target"])
    kept = ["run", "task", "label", "contender", "seed", "status", "target"]
    curves = curves.merge(runs[["run", "target"]], on="run")
    target = curves["target"].where(curves["goal"] != "max", -curves["target"])
    hits = curves.loc[curves["loss"] <= target].drop_duplicates("run")
    first = hits.loc[:, ["run", *MEASURES]].astype(dict.fromkeys(MEASURES, float))
    found = runs.loc[:, kept].merge(first.assign(reached=True), on="run", how="left")
    found["reached"] = found["reached"].eq(True)
    never = ~found["reached"] & found["status"].isin([*TRAINED, "diverged"])
    found.loc[never, [*MEASURES]] = np.inf
    return found.loc[:, [*kept, "reached", *MEASURES]]


def over_seeds(reached: pd.DataFrame) -> pd.DataFrame:
    """What the runs of a model took to reach the target: the median seed, and how many did not.

    The median is infinite where half of the runs or more never reached it, a diverged run among
    them; runs that failed or still run are left out and counted.

    Args:
        reached: see `to_target`.

    Returns:
        A row a task and model: `task`, `label`, `contender`, `target`, `n` runs, `reached` of them,
        `censored` that never did, `left_out`, and the median of each of the `MEASURES`.
    """
    rows = []
    for _, runs in reached.groupby(["task", "label"]):
        ended = runs.loc[runs["reached"] | runs["status"].isin([*TRAINED, "diverged"])]
        row = {key: runs[key].iloc[0] for key in ("task", "label", "contender", "target")}
        row |= {"n": len(ended), "reached": int(ended["reached"].sum())}
        row |= {"censored": row["n"] - row["reached"], "left_out": len(runs) - len(ended)}
        # The upper of two middle seeds: the mean of a number and infinity would be no seed's.
        row |= {key: ended[key].quantile(0.5, interpolation="higher") for key in MEASURES}
        rows.append(row)
    columns = ["task", "label", "contender", "target", "n", "reached", "censored", "left_out"]
    return pd.DataFrame(rows, columns=pd.Index([*columns, *MEASURES]))


def _measured(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with steps and `COSTS`, and with the `flops` and `seconds` that these took."""
    return rows.assign(
        flops=rows["step"] * rows["training_flops_per_step"],
        seconds=rows["step"] * rows["step_seconds"],
    )
