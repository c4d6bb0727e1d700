"""The runs of every model that was tried with several learning rates, and their means."""

from __future__ import annotations

import pandas as pd

from seqexp.analysis.load import Study
from seqexp.analysis.records import LOST, TRAINED
from seqexp.analysis.tuning import sensitivity


def rate_runs(study: Study, table: pd.DataFrame) -> pd.DataFrame:
    """The runs of every model that was tried with several learning rates.

    Args:
        study: the records.
        table: its table, see `tabulate`, or some rows of it.

    Returns:
        The rows of `study.runs` that ended, with their `learning_rate`, the `mean` over the seeds
        of that rate, and the `n` of it; `valid` is NaN for the runs that diverged or failed.
    """
    tried = sensitivity(study, table)
    several = tried.groupby(["task", "label"])["learning_rate"].transform("nunique")
    tried = tried.loc[several.gt(1)].rename(columns={"task": "task_label", "valid": "mean"})
    tried = tried.drop(columns="label").rename(columns={"setting": "label"})
    runs = study.runs.loc[study.runs["status"].isin([*TRAINED, *LOST])]
    runs = runs.merge(tried[["task_label", "label", "learning_rate", "mean", "n"]])
    return runs.assign(valid=runs["valid"].where(runs["status"].isin(TRAINED)))


def over_rates(runs: pd.DataFrame) -> pd.DataFrame:
    """Of the runs of one model, a row a learning rate: the `mean` over its `n` finished seeds."""
    means = runs.drop_duplicates("learning_rate").dropna(subset=["mean"])
    return means.sort_values("learning_rate").loc[:, ["learning_rate", "mean", "n"]]
