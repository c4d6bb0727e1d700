"""The statistics of a report once more: each written out from its definition, none for speed.

What is found by resampling is told as the range within which another resampling must be.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

RESAMPLES = 20_000
THEIRS = 2_000
"""How many resamples the report says that it takes."""

SIGMAS = 5
"""Within so many binomial standard errors the report's resamples must agree with these."""

NAN, INF = math.nan, math.inf


class Between(NamedTuple):
    """Where a number must be that another resampling found."""

    low: float
    high: float


Expected = float | Between


def share(hits: np.ndarray) -> Between:
    """Where the share of `THEIRS` resamples must be, from that of the `[R]` own ones."""
    p, n = float(np.mean(hits)), len(hits)
    careful = (np.sum(hits) + 2) / (n + 4)  # not sure that what never happened never does
    error = SIGMAS * math.sqrt(careful * (1 - careful) * (1 / THEIRS + 1 / n)) + 1 / THEIRS
    return Between(max(0.0, p - error), min(1.0, p + error))


def quantile(samples: np.ndarray, p: float) -> Between:
    """Where the quantile of `THEIRS` resamples must be: among own ones of so many errors."""
    error = SIGMAS * math.sqrt(p * (1 - p) / THEIRS)
    low = np.quantile(samples, max(0.0, p - error), method="lower")
    high = np.quantile(samples, min(1.0, p + error), method="higher")
    return Between(float(low), float(high))


def ends(samples: np.ndarray) -> tuple[Between, Between]:
    """Of a 95 % interval of percentiles."""
    return quantile(samples, 0.025), quantile(samples, 0.975)


def median(values: Iterable[float | None]) -> float:
    known = [value for value in values if value is not None]
    return float(statistics.median(known)) if known else NAN


def mean(values: Sequence[float]) -> float:
    """Exact where all are equal."""
    if not len(values):
        return NAN
    return float(values[0]) if len(set(values)) == 1 else math.fsum(values) / len(values)


def spread(values: Sequence[float]) -> float:
    """The sample's variance."""
    return 0.0 if len(set(values)) == 1 else statistics.variance(values)


def student(values: Sequence[float]) -> tuple[float, float]:
    """A mean and the half-width of its 95 % interval."""
    n = len(values)
    if n < 2:
        return mean(values), NAN
    return mean(values), float(stats.t.ppf(0.975, n - 1)) * math.sqrt(spread(values) / n)


def stratified(groups: Sequence[Sequence[float]]) -> tuple[float, float]:
    """The mean of the groups' means, with Satterthwaite's degrees of freedom."""
    if not groups or not all(len(group) for group in groups):
        return NAN, NAN
    middle = mean([mean(group) for group in groups])
    if min(map(len, groups)) < 2:
        return middle, NAN
    parts = [spread(group) / len(group) / len(groups) ** 2 for group in groups]
    if sum(parts) == 0:
        return middle, 0.0
    each = zip(parts, groups, strict=True)
    freedom = sum(parts) ** 2 / sum(part**2 / (len(group) - 1) for part, group in each)
    return middle, float(stats.t.ppf(0.975, freedom)) * math.sqrt(sum(parts))


def interquartile_mean(values: Sequence[float]) -> float:
    cut = len(values) // 4
    return mean(sorted(values)[cut : len(values) - cut])


def resample(values: Sequence[float], rng: np.random.Generator) -> np.ndarray:
    """`[R, n]` resamples of at least two values, spread about their mean by sqrt(n / (n - 1))."""
    x, n = np.array(values, dtype=float), len(values)
    if len(set(values)) == 1:
        return np.full((RESAMPLES, n), x[0])
    drawn = x[rng.integers(0, n, (RESAMPLES, n))]
    return x.mean() + math.sqrt(n / (n - 1)) * (drawn - x.mean())


def resample_mean(values: Sequence[float], rng: np.random.Generator) -> np.ndarray:
    """NaN for one value, of which the spread is not known."""
    if len(values) < 2:
        return np.full(RESAMPLES, NAN)
    if len(set(values)) == 1:
        return np.full(RESAMPLES, float(values[0]))
    return resample(values, rng).mean(axis=1)


def iqm_interval(groups: Sequence[Sequence[float]]) -> tuple[Expected, Expected, Expected]:
    """The interquartile mean of all groups, and percentiles widened as Student's are."""
    pooled = [value for group in groups for value in group]
    if not pooled or not all(len(group) for group in groups):
        return NAN, NAN, NAN
    value, (_, half) = interquartile_mean(pooled), stratified(groups)
    if math.isnan(half) or half == 0:
        return value, value + half, value + half
    rng = np.random.default_rng(5)
    drawn = [resample(group, rng) for group in groups]
    low, high = ends(np.mean([x.mean(axis=1) for x in drawn], axis=0))
    widths = high.high - low.low, high.low - low.high
    together = np.sort(np.concatenate(drawn, axis=1), axis=1)
    cut = together.shape[1] // 4
    middle = together[:, cut : together.shape[1] - cut].mean(axis=1)

    def widened(end: Between) -> Between:
        corners = [value + 2 * half / width * (q - value) for width in widths for q in end]
        return Between(min(corners), max(corners))

    low, high = ends(middle)
    return value, widened(low), widened(high)


def union(room: np.ndarray, gain: np.ndarray) -> np.ndarray:
    """`[R]` volumes of a union of boxes from one corner, by inclusion and exclusion.

    Args:
        room: `[N, K]` or `[R, N, K]`, the other sides of the boxes.
        gain: `[R, N]`, their last side.
    """
    total = np.zeros(len(gain))
    models = gain.shape[1]
    for size in range(1, models + 1):
        for some in itertools.combinations(range(models), size):
            sides = np.maximum(0, room[..., list(some), :].min(axis=-2)).prod(axis=-1)
            total += (-1) ** (size + 1) * sides * np.maximum(0, gain[:, some].min(axis=1))
    return total


def power_law(points: Sequence[tuple[float, float]]) -> dict[str, float]:
    """A line through logarithms, of the upper half of their range if it holds four sizes."""
    sizes = sorted({size for size, _ in points})
    upper = [size for size in sizes if size**2 >= sizes[0] * sizes[-1]]
    kept = [(s, c) for s, c in points if s >= upper[0]] if len(upper) >= 4 else list(points)
    x, y = ([math.log(one[i]) for one in kept] for i in (0, 1))
    line = statistics.linear_regression(x, y)
    errors = [b - line.intercept - line.slope * a for a, b in zip(x, y, strict=True)]
    n, half = len(x), NAN
    if n > 2:
        error = math.sqrt(sum(e * e for e in errors) / (n - 2) / (n * statistics.pvariance(x)))
        half = float(stats.t.ppf(0.975, n - 2)) * error
    fit = {"exponent": line.slope, "half": half, "n": n, "scale": math.exp(line.intercept)}
    return fit | {"smallest": min(s for s, _ in kept), "largest": max(s for s, _ in kept)}


def pareto(
    points: Mapping[Any, tuple[float, ...]], errors: Mapping[Any, tuple[float, ...]] | None = None
) -> set[Any]:
    """The names of the points that no other dominates; less is better in everything.

    Of coordinates with a relative standard error the 95 % interval of a quotient must be below 1.
    """
    known = {name: p for name, p in points.items() if all(map(math.isfinite, p))}
    certain = {name: (0.0,) * len(p) for name, p in known.items()} | dict(errors or {})

    def no_more(x: float, y: float, *error: float) -> bool:
        return x <= y if not any(error) else math.log(x / y) < -1.96 * math.dist(error, (0, 0))

    def beats(a: Any, b: Any) -> bool:
        all_four = zip(known[a], known[b], certain[a], certain[b], strict=True)
        return all(no_more(*four) for four in all_four) and known[a] != known[b]

    return {b for b in known if not any(beats(a, b) for a in known)}


def dominates(cost: np.ndarray, loss: np.ndarray, dearer: np.ndarray, worse: np.ndarray) -> Any:
    """`[R]`, of `[R, K]` costs and `[R]` losses."""
    no_worse = (cost <= dearer).all(axis=1) & (loss <= worse)
    return no_worse & ((cost < dearer).any(axis=1) | (loss < worse))


def sign_flips(differences: Sequence[float]) -> float:
    """Of all ways to flip the signs of differences, how many give a sum as far from 0."""
    if not differences:
        return NAN
    observed = abs(math.fsum(differences))
    slack = 1e-12 * math.fsum(map(abs, differences))
    count = sum(
        abs(math.fsum(s * d for s, d in zip(signs, differences, strict=True))) >= observed - slack
        for signs in itertools.product((-1, 1), repeat=len(differences))
    )
    return count / 2 ** len(differences)


def holm(p_values: Sequence[float]) -> list[float]:
    """Of each p-value the least level at which Holm's procedure, step by step, rejects it."""
    known = sorted(p for p in p_values if not math.isnan(p))
    m = len(p_values)

    def corrected(p: float) -> float:
        steps = [(m - i) * q for i, q in enumerate(known) if q <= p]
        ties = known.count(p)
        return min(1.0, max(steps[: len(steps) - ties + 1]))

    return [p if math.isnan(p) else corrected(p) for p in p_values]


def hedges(better: Sequence[float], worse: Sequence[float]) -> float:
    n = len(better)
    if n < 2:
        return NAN
    gain = mean([y - x for x, y in zip(better, worse, strict=True)])
    deviation = math.sqrt((spread(better) + spread(worse)) / 2)
    if deviation == 0:
        return 0.0 if gain == 0 else math.copysign(INF, gain)
    return (1 - 3 / (4 * (2 * n - 2) - 1)) * gain / deviation


def improvement(a: Sequence[float], b: Sequence[float]) -> dict[str, Expected]:
    """The probability that a run of a is better than one of b, ties half, with its interval."""
    wins = [[1.0 if x < y else 0.5 if x == y else 0.0 for y in b] for x in a]
    value = mean([win for line in wins for win in line])
    low: Expected
    high: Expected
    n = min(len(a), len(b))
    if n < 2:
        low, high = NAN, NAN
    elif value in (0, 1):
        exact = stats.binomtest(n if value else 0, n).proportion_ci(0.95, method="exact")
        low, high = float(exact.low), float(exact.high)
    else:
        rng = np.random.default_rng(99)
        rows = rng.integers(0, len(a), (RESAMPLES, len(a) - 1))
        columns = rng.integers(0, len(b), (RESAMPLES, len(b) - 1))
        drawn = np.array(wins)[rows[:, :, None], columns[:, None, :]]
        low, high = ends(drawn.mean(axis=(1, 2)))
    return {"chance": value, "chance_low": low, "chance_high": high}
