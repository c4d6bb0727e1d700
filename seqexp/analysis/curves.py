"""How learning curves are drawn: over what, in which band, and with how many points."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

POINTS = 100
"""A drawn curve has at most so many points, spread evenly over its evaluations."""


class Time(NamedTuple):
    """What a learning curve is drawn over: its column, in a sentence, and beside an axis."""

    key: str
    name: str
    label: str


TIMES = (
    Time("step", "training steps", "training steps"),
    Time("examples", "training examples", "training examples"),
    Time("flops", "training FLOPs", "training FLOPs"),
    Time("seconds", "training time", "training time, s"),
)


def band(curves: pd.DataFrame) -> pd.DataFrame:
    """The mean, least and greatest score of several runs at the steps that all of them reached.

    Args:
        curves: of these runs, see `evaluations`.

    Returns:
        `step`, the means of `examples`, `flops` and `seconds`, `mean`, `low` and `high`.
    """
    runs = curves.groupby("step")["run"].transform("nunique")
    return (
        curves.loc[runs == curves["run"].nunique()]
        .groupby("step", as_index=False)
        .agg(
            examples=("examples", "mean"),
            flops=("flops", "mean"),
            seconds=("seconds", "mean"),
            mean=("valid", "mean"),
            low=("valid", "min"),
            high=("valid", "max"),
        )
    )


def thinned(curve: pd.DataFrame) -> pd.DataFrame:
    """At most `POINTS` rows of a curve, evenly spread, the first and the last among them."""
    if len(curve) <= POINTS:
        return curve
    return curve.iloc[np.linspace(0, len(curve) - 1, POINTS).round().astype(int)]
