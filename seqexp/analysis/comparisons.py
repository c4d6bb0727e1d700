"""Is one model really better than another? Their differences over the seeds that both have run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd

from seqexp.analysis.bootstrap import SEED, percentile, weights
from seqexp.analysis.contenders import Contender
from seqexp.analysis.statistics import CONFIDENCE, Interval, sample_variance, stratified

MANY = 20
"""Of more contenders only the pairs with the best are told."""

EXACT = 16
"""Up to so many pairs of seeds all flips of signs are counted, beyond as many are drawn."""


class Comparison(NamedTuple):
    """How much better `a` is than `b`.

    Attributes:
        a: the contender with the better mean score.
        b: the other.
        n: pairs of runs with the same seed that both finished.
        dropped: seeds that only one of them finished, left out of all but `improvement`.
        diverged_a: runs of a that diverged, and so on.
        advantage: the mean by which a scores better over the pairs, above 0 whatever the goal.
        advantage_half: the half-width of its 95 % interval, see `stratified`.
        effect: the same in standard deviations, see `hedges_g`.
        improvement: the probability that a run of a is better than one of b, see `improvement`.
        improvement_low: the lower end of its 95 % interval.
        improvement_high: the upper end.
        p: of the null hypothesis that signs of the differences are chance, see `sign_flip_p`.
        p_floor: the least that p can be for so many pairs.
        p_holm: p, corrected for all comparisons between the same contenders, see `holm`.
        comparisons: how many they are.
    """

    a: str
    b: str
    n: int
    dropped: int
    diverged_a: int
    diverged_b: int
    failed_a: int
    failed_b: int
    advantage: float
    advantage_half: float
    effect: float
    improvement: float
    improvement_low: float
    improvement_high: float
    p: float
    p_floor: float
    p_holm: float
    comparisons: int


def compare(tasks: Mapping[str, Sequence[Contender]], *, seed: int = SEED) -> pd.DataFrame:
    """Compare every two contenders that finished a run on each of the tasks, the best first.

    Seeds are paired by their number. Every task has the same weight, so the scores of more than one
    must have been brought to one scale: see `normalised`. Failed runs are left out and counted; so
    are diverged ones, but that they count as worst in `improvement`. Of more than 20 contenders
    only the pairs with the best are told, still corrected for all: the best was found among them.

    Args:
        tasks: of each task its contenders.
        seed: of the bootstrap.

    Returns:
        A row a pair, with the fields of `Comparison`.
    """
    names = ranked(tasks)
    entries = {name: [_named(rivals, name) for rivals in tasks.values()] for name in names}
    pairs = combinations(names, 2) if len(names) <= MANY else ((names[0], b) for b in names[1:])
    found = [_compare(a, b, entries, seed) for a, b in pairs]
    table = pd.DataFrame(found, columns=pd.Index(Comparison._fields))
    comparisons = len(names) * (len(names) - 1) // 2
    corrected = holm(table["p"].to_numpy(float), comparisons)
    return table.assign(p_holm=corrected, comparisons=comparisons)


def ranked(tasks: Mapping[str, Sequence[Contender]]) -> list[str]:
    """The names of the contenders with a finished run on each task, the best mean score first."""
    losses: dict[str, list[float]] = {}
    for rivals in tasks.values():
        for one in rivals:
            if len(one.losses):
                losses.setdefault(one.name, []).append(one.loss)
    return sorted(
        (name for name, means in losses.items() if len(means) == len(tasks)),
        key=lambda name: (np.mean(losses[name]), name),
    )


def hedges_g(better: np.ndarray, worse: np.ndarray) -> float:
    """The difference of two means in standard deviations, without the bias of few seeds.

        g = J (mean(worse) - mean(better)) / sqrt((s_b^2 + s_w^2) / 2),   J = 1 - 3 / (8 n - 9)

    Above 0 where `better` has the lower losses. For `[n]` losses of the same seeds it is Lakens'
    g_av. Where neither varies it is 0 for equal losses and infinite for others; one pair gives NaN.

    Lakens (2013), "Calculating and reporting effect sizes to facilitate cumulative science",
    https://doi.org/10.3389/fpsyg.2013.00863
    """
    n = len(better)
    if n < 2:
        return float("nan")
    gain = float(np.mean(worse - better))
    deviation = np.sqrt((sample_variance(better) + sample_variance(worse)) / 2)
    if deviation == 0:
        return 0.0 if gain == 0 else float(np.copysign(np.inf, gain))
    return float((1 - 3 / (8 * n - 9)) * gain / deviation)


def sign_flip_p(differences: np.ndarray) -> float:
    """The exact two-sided p-value of paired differences whose signs are as good as coins.

        p = #{s in {-1, 1}^n : |sum_i s_i d_i| >= |sum_i d_i|} / 2^n

    It can not be less than 2 / 2^n: 0.25 for three pairs, 0.0625 for five, so that six are the
    fewest for a p below 0.05. For more than 16 pairs 2^15 flips are drawn, and what was observed
    is counted as one more. No pair gives NaN.

    Fisher (1935), "The design of experiments", section 21
    """
    d = np.asarray(differences, dtype=float)
    n = len(d)
    if n == 0:
        return float("nan")
    exact = n <= EXACT
    if exact:  # half of the flips, for the other half are their mirror images
        flipped = (np.arange(2 ** (n - 1))[:, None] >> np.arange(n)) & 1
    else:
        flipped = np.random.default_rng(SEED).integers(0, 2, (2 ** (EXACT - 1), n))
    sums = np.abs((1 - 2 * flipped) @ d)
    # Sums of the same terms in another order may differ in their last digits.
    as_far = int(np.sum(sums >= abs(d.sum()) - 1e-12 * np.abs(d).sum()))
    return as_far / len(sums) if exact else (as_far + 1) / (len(sums) + 1)


def least_p(n: int) -> float:
    """The least `sign_flip_p` that n pairs can give, reached where one model is always better."""
    return 2.0 ** (1 - n) if n <= EXACT else 1 / (2.0 ** (EXACT - 1) + 1)


def holm(p: np.ndarray, comparisons: int) -> np.ndarray:
    """`[n]` p-values corrected for m comparisons: below alpha, none is wrong but in alpha of cases.

        p_(i) <- max_{j <= i} min(1, (m - j + 1) p_(j)),   p_(1) <= ... <= p_(n)

    NaN stays NaN.

    Args:
        p: `[n]`, the p-values that are told.
        comparisons: m >= n, how many were made.

    Holm (1979), "A simple sequentially rejective multiple test procedure",
    https://www.jstor.org/stable/4615733
    """
    corrected = np.full(len(p), np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    factors = comparisons - np.arange(len(order))
    corrected[order] = np.minimum(1, np.maximum.accumulate(factors * p[order]))
    return corrected


def improvement(a: Sequence[np.ndarray], b: Sequence[np.ndarray], *, seed: int = SEED) -> Interval:
    """The probability that a run of a beats a run of b on a task, a tie counting half.

        P = mean over tasks and pairs of runs of [x_a < x_b] + [x_a = x_b] / 2

    Its interval is the percentile one over resamples of either's runs; NaN where one has a single
    run on a task. Where every run of one beats every run of the other, resamples agree and would
    claim certainty: then it is that of Clopper and Pearson for as many independent pairs as there
    are runs of the one with fewer.

    Args:
        a: the losses of a, `[n]` on each task, infinite for a run that diverged.
        b: the same of b.
        seed: of the bootstrap.

    Agarwal et al. (2021), "Deep reinforcement learning at the edge of the statistical precipice",
    section 4.3, https://arxiv.org/abs/2108.13264
    """
    wins = [(one[:, None] < two) + (one[:, None] == two) / 2 for one, two in zip(a, b, strict=True)]
    n = sum(min(table.shape) for table in wins)
    value = float(np.mean([table.mean() for table in wins]))
    if min(min(table.shape) for table in wins) < 2:
        return Interval(value, np.nan, np.nan, n)
    bound = ((1 - CONFIDENCE) / 2) ** (1 / n)
    if value in (0, 1):
        return Interval(value, *((bound, 1.0) if value else (0.0, 1 - bound)), n)
    generator = np.random.default_rng(seed)
    shares = [
        ((weights(len(table), generator) @ table) * weights(table.shape[1], generator)).sum(axis=1)
        for table in wins
    ]
    return Interval(value, *percentile(np.mean(shares, axis=0)), n)


def _compare(a: str, b: str, entries: Mapping[str, Sequence[Contender]], seed: int) -> Comparison:
    paired = list(_paired(entries[a], entries[b]))
    n = sum(len(better) for better, _ in paired)
    finished = sum(len(one.seeds) for one in (*entries[a], *entries[b]))
    gains = [worse - better for better, worse in paired]
    advantage = stratified(gains)
    chance = improvement(*(list(map(_with_diverged, entries[name])) for name in (a, b)), seed=seed)
    # Each task has the same weight, however many of its seeds are paired.
    scaled = np.concatenate([gain / max(1, len(gain)) for gain in gains])
    known = all(len(gain) for gain in gains)
    return Comparison(
        a=a,
        b=b,
        n=n,
        dropped=finished - 2 * n,
        diverged_a=sum(one.diverged for one in entries[a]),
        diverged_b=sum(one.diverged for one in entries[b]),
        failed_a=sum(one.failed for one in entries[a]),
        failed_b=sum(one.failed for one in entries[b]),
        advantage=advantage.mean,
        advantage_half=advantage.half,
        effect=float(np.mean([hedges_g(better, worse) for better, worse in paired])),
        improvement=chance.value,
        improvement_low=chance.low,
        improvement_high=chance.high,
        p=sign_flip_p(scaled) if known else np.nan,
        p_floor=least_p(n) if known else np.nan,
        p_holm=np.nan,
        comparisons=0,
    )


def _paired(
    a: Sequence[Contender], b: Sequence[Contender]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """On each task, the losses of both at the seeds that both finished."""
    for one, two in zip(a, b, strict=True):
        _, i, j = np.intersect1d(one.seeds, two.seeds, return_indices=True)
        yield one.losses[i], two.losses[j]


def _with_diverged(one: Contender) -> np.ndarray:
    return np.append(one.losses, np.full(one.diverged, np.inf))


def _named(rivals: Sequence[Contender], name: str) -> Contender:
    return next(one for one in rivals if one.name == name)
