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


class Interval(NamedTuple):
    """A statistic over `n` seeds with its 95 % interval, whose ends are NaN where there is none."""

    value: float
    low: float
    high: float
    n: int


def estimate(values: Iterable[float]) -> Estimate:
    """The mean of independent seeds with Student's 95 % interval, for n - 1 degrees of freedom.

        mean ± t(0.975, n - 1) s / sqrt(n),   s^2 = sum (x - mean)^2 / (n - 1)

    Values that are not finite are not counted. Constant values give a half-width of exactly 0; one
    value gives NaN, since it says nothing about its spread; none gives NaN for both. For normal
    seeds it covers 95 % at any n, which no bootstrap does for a few: see `bootstrap`.

    Student (1908), "The probable error of a mean", https://doi.org/10.2307/2331554
    """
    return stratified([values])


def stratified(groups: Iterable[Iterable[float]]) -> Estimate:
    """The mean over groups of their means, each group of the same weight, with a 95 % interval.

        mean_g mean(x_g) ± t(0.975, f) sqrt(V),   V = sum_g v_g,   v_g = s_g^2 / (n_g G^2),
        f = V^2 / sum_g (v_g^2 / (n_g - 1))

    Spread within groups (over seeds) counts, spread between them (over tasks) does not: it is an
    interval for these tasks and not for others. One group gives `estimate`. A group with one value
    gives a half-width of NaN; an empty one, or no group, gives NaN for both.

    Satterthwaite (1946), "An approximate distribution of estimates of variance components",
    https://doi.org/10.2307/3002019
    """
    samples = [finite(values) for values in groups]
    sizes = np.array([len(x) for x in samples])
    n = int(sizes.sum())
    if not samples or not sizes.all():
        return Estimate(np.nan, np.nan, n)
    mean = float(np.mean([_mean(x) for x in samples]))
    if sizes.min() == 1:
        return Estimate(mean, np.nan, n)
    variance = np.array([sample_variance(x) for x in samples]) / (sizes * len(samples) ** 2)
    total = variance.sum()
    if total == 0:
        return Estimate(mean, 0.0, n)
    freedom = 1 / ((variance / total) ** 2 / (sizes - 1)).sum()
    quantile = stats.t.ppf((1 + CONFIDENCE) / 2, freedom)
    return Estimate(mean, float(quantile * np.sqrt(total)), n)


def sampling_half(share: float, targets: float) -> float:
    """The half-width of the 95 % interval of a share of right answers that n targets give.

        1.96 sqrt(p' (1 - p') / n'),   n' = n + 1.96^2,   p' = (n p + 1.96^2 / 2) / n'

    It is not 0 where all answers are right, and does not shrink with seeds: all of them answer the
    same targets, which are taken for independent. NaN for what is no share, or where n is no number
    of targets.

    Agresti and Coull (1998), "Approximate is better than exact for interval estimation of binomial
    proportions", https://doi.org/10.1080/00031305.1998.10480550
    """
    if not (0 <= share <= 1 and targets >= 1 and targets == round(targets)):
        return float("nan")
    z = float(stats.norm.ppf((1 + CONFIDENCE) / 2))
    n = targets + z**2
    p = (targets * share + z**2 / 2) / n
    return float(z * np.sqrt(p * (1 - p) / n))


def finite(values: Iterable[float]) -> np.ndarray:
    """The values that are numbers."""
    x = np.asarray(list(values), dtype=float)
    return x[np.isfinite(x)]


def sample_variance(x: np.ndarray) -> float:
    """s^2 of `[n]` values, n > 1; exactly 0 where they are equal, which computed means miss."""
    return 0.0 if _constant(x) else float(x.var(ddof=1))


def _mean(x: np.ndarray) -> float:
    return float(x[0] if _constant(x) else x.mean())


def _constant(x: np.ndarray) -> bool:
    return bool(np.all(x == x[0]))
