"""How fast models learn: what they took to reach a score on validation, and curves over seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy import stats

from seqexp.analysis.contenders import chosen_runs
from seqexp.analysis.load import Study
from seqexp.analysis.statistics import CONFIDENCE

MEASURES = ("step", "examples", "tokens", "flops", "seconds")
"""What training takes."""

POINTS = 100


def spent(study: Study) -> pd.DataFrame:
    """What each run took up to its last record: `run`, `seconds` and `flops`; NaN where not known.

    flops = tokens seen * training FLOPs per token
    """
    last = study.curves.groupby("run", as_index=False).agg(
        seconds=("seconds", "max"), tokens=("tokens", "max")
    )
    runs = study.runs.loc[:, ["run", "training_flops_per_token"]].merge(last, on="run", how="left")
    runs["flops"] = runs["tokens"] * runs["training_flops_per_token"]
    return runs.loc[:, ["run", "seconds", "flops"]]


def evaluations(study: Study, table: pd.DataFrame) -> pd.DataFrame:
    """The validation scores of all runs of the chosen models, in the order of the steps.

    Args:
        study: the records.
        table: see `tabulate`.

    Returns:
        A row a run and evaluation: `run`, `task`, `label`, `contender`, `seed`, `status`, the
        `MEASURES` up to then, `valid`, and `loss`, which is `valid` negated where more is better.
    """
    runs = chosen_runs(study, table)
    runs = runs.assign(metric="valid/" + runs["score"].astype(str), task=runs["task_label"])
    kept = ["run", "task", "label", "contender", "seed", "status", "goal", "metric"]
    curves = study.curves.merge(runs[[*kept, "training_flops_per_token"]], on=["run", "metric"])
    curves = curves.dropna(subset=["value"]).rename(columns={"value": "valid"})
    curves["flops"] = curves["tokens"] * curves["training_flops_per_token"]
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
    finished = curves.loc[curves["status"] == "finished"]
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
    never = ~found["reached"] & found["status"].isin(["finished", "diverged"])
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
        ended = runs.loc[runs["reached"] | runs["status"].isin(["finished", "diverged"])]
        row = {key: runs[key].iloc[0] for key in ("task", "label", "contender", "target")}
        row |= {"n": len(ended), "reached": int(ended["reached"].sum())}
        row |= {"censored": row["n"] - row["reached"], "left_out": len(runs) - len(ended)}
        # The upper of two middle seeds: the mean of a number and infinity would be no seed's.
        row |= {key: ended[key].quantile(0.5, interpolation="higher") for key in MEASURES}
        rows.append(row)
    columns = ["task", "label", "contender", "target", "n", "reached", "censored", "left_out"]
    return pd.DataFrame(rows, columns=pd.Index([*columns, *MEASURES]))


def average_curves(
    curves: pd.DataFrame, over: str = "examples", *, points: int = POINTS
) -> pd.DataFrame:
    """The validation curve of each model, averaged over its finished seeds on one grid a task.

    Each run is interpolated linearly. The grid is even, from the first to the last evaluation of
    any run on the task; a model has values where all of its finished runs have.

    Args:
        curves: see `evaluations`.
        over: which of the `MEASURES`.
        points: of the grid.

    Returns:
        A row a task, model and point: `task`, `label`, `contender`, `over`, the `mean` with `half`,
        the half-width of Student's 95 % interval at this point, and `n` runs.
    """
    finished = curves.loc[curves["status"] == "finished"].dropna(subset=[over])
    parts = []
    for task, of_task in finished.groupby("task"):
        grid = np.linspace(of_task[over].min(), of_task[over].max(), points)
        for label, mine in of_task.groupby("label"):
            runs = [
                (run[over].to_numpy(), run["valid"].to_numpy()) for _, run in mine.groupby("run")
            ]
            mean, half = averaged(runs, grid)
            part = {"task": task, "label": label, "contender": mine["contender"].iloc[0]}
            part |= {over: grid, "mean": mean, "half": half, "n": len(runs)}
            parts.append(pd.DataFrame(part).dropna(subset=["mean"]))
    columns = pd.Index(["task", "label", "contender", over, "mean", "half", "n"])
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def averaged(
    runs: Sequence[tuple[np.ndarray, np.ndarray]], grid: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """`[G]` means of curves on a grid and the half-widths of Student's intervals at each point.

    Args:
        runs: of each its ascending abscissae and its values; it is NaN outside of them.
        grid: `[G]`.
    """
    values = np.array([np.interp(grid, x, y, left=np.nan, right=np.nan) for x, y in runs])
    n = len(values)
    mean = values.mean(axis=0)
    if n < 2:
        return mean, np.full(len(grid), np.nan)
    quantile = stats.t.ppf((1 + CONFIDENCE) / 2, n - 1)
    half = quantile * values.std(axis=0, ddof=1) / np.sqrt(n)
    return mean, np.where(np.ptp(values, axis=0) == 0, 0.0, half)
