"""What several seeds say together: a mean with a 95 % interval, and how many they were."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from scipy import stats

CONFIDENCE = 0.95


class Estimate(NamedTuple):
    """A mean over seeds. `half` is the half-width of its interval, NaN where `n` < 2."""

    mean: float
    half: float
    n: int

    @property
    def low(self) -> float:
        return self.mean - self.half

    @property
    def high(self) -> float:
        return self.mean + self.half


def estimate(values: Iterable[float]) -> Estimate:
    """The mean of independent seeds with Student's 95 % interval, for n - 1 degrees of freedom.

        mean ± t(0.975, n - 1) s / sqrt(n),   s^2 = sum (x - mean)^2 / (n - 1)

    Values that are not finite are not counted. Constant values give a half-width of exactly 0; one
    value gives NaN, since it says nothing about its spread; none gives NaN for both.

    Student (1908), "The probable error of a mean", https://doi.org/10.2307/2331554
    """
    x = np.asarray(list(values), dtype=float)
    x = x[np.isfinite(x)]
    n = len(x)
    if n == 0:
        return Estimate(np.nan, np.nan, 0)
    if n == 1:
        return Estimate(float(x[0]), np.nan, 1)
    if np.all(x == x[0]):  # the computed deviation of equal floats need not be exactly 0
        return Estimate(float(x[0]), 0.0, n)
    quantile = stats.t.ppf((1 + CONFIDENCE) / 2, n - 1)
    return Estimate(float(x.mean()), float(quantile * x.std(ddof=1) / np.sqrt(n)), n)


def overlap(a: Estimate, b: Estimate) -> bool | None:
    """Whether two intervals share a point; None where one of them is missing."""
    if np.isnan(a.half) or np.isnan(b.half):
        return None
    return a.low <= b.high and b.low <= a.high
