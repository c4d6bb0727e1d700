"""Who is best over several tasks: mean ranks, and scores on one scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from seqexp.analysis.bootstrap import (
    RESAMPLES,
    SEED,
    bootstrap,
    interquartile_mean,
    percentile,
    resampled,
)
from seqexp.analysis.comparisons import ranked
from seqexp.analysis.contenders import Contender
from seqexp.analysis.statistics import stratified

COLUMNS = [
    *("contender", "tasks", "n", "diverged", "failed", "rank", "rank_low", "rank_high"),
    *("best_probability", "score", "score_half", "iqm", "iqm_low", "iqm_high"),
]


def rank(
    tasks: Mapping[str, Sequence[Contender]],
    baselines: Mapping[str, float],
    *,
    seed: int = SEED,
) -> pd.DataFrame:
    """The contenders over all tasks, the best mean rank first.

    The rank on a task is that of the mean test score over seeds, 1 for the best, ties sharing the
    mean of their places; the mean over tasks is `rank`. Its 95 % interval and the probability to
    have the least one (ties share it) come from resamples of every contender's seeds on every task,
    as in Agarwal et al. 2021. Where anyone has but one seed on a task they are NaN, for its place
    is not known to vary by how much. Diverged and failed runs are counted and no part of the means.

    Args:
        tasks: of each task its contenders.
        baselines: of each task the best loss that needs no model, where there is one (negated where
            more is better, as losses are).
        seed: of the bootstrap.

    Returns:
        A row a contender: `contender`, `tasks` it finished a run on, `n` finished runs, `diverged`,
        `failed`, `rank` with `rank_low` and `rank_high`, `best_probability`, and on the scale of
        `normalised`, negated so that more is better (0 the baseline, 1 the best): the mean `score`
        with `score_half`, and the interquartile mean `iqm` with `iqm_low` and `iqm_high`, over the
        seeds of all tasks. Who did not finish a run on every task is last, with NaN from `rank` on.

    Agarwal et al. (2021), "Deep reinforcement learning at the edge of the statistical precipice",
    https://arxiv.org/abs/2108.13264
    """
    names = ranked(tasks)
    placed = _places(tasks, names, np.random.default_rng(seed))
    scaled = normalised(tasks, baselines)
    rows = []
    for name in dict.fromkeys(one.name for rivals in tasks.values() for one in rivals):
        mine = [one for rivals in tasks.values() for one in rivals if one.name == name]
        row = {"contender": name, "tasks": sum(len(one.losses) > 0 for one in mine)}
        row |= {"n": sum(len(one.losses) for one in mine)}
        row |= {"diverged": sum(one.diverged for one in mine)}
        row |= {"failed": sum(one.failed for one in mine)}
        if name in names:
            row |= placed[name] | _score(scaled, name, seed)
        rows.append(row)
    table = pd.DataFrame(rows, columns=pd.Index(COLUMNS))
    return table.sort_values(["rank", "contender"], ignore_index=True)


def normalised(
    tasks: Mapping[str, Sequence[Contender]], baselines: Mapping[str, float]
) -> dict[str, list[Contender]]:
    """The losses of all tasks on one scale: 0 the best mean of a contender, 1 the baseline's.

        x' = (x - best) / (worst - best)

    The worst is the best baseline that needs no model; where there is none, or it is no worse than
    the best contender, it is the worst mean of a contender. Both are taken as constants. A task on
    which all are the same is left out.

    Args:
        tasks: of each task its contenders.
        baselines: of each task the loss of its baseline, where there is one.
    """
    scaled = {}
    for task, rivals in tasks.items():
        means = [one.loss for one in rivals if len(one.losses)]
        if not means:
            continue
        best, worst = min(means), baselines.get(task, -np.inf)
        worst = worst if worst > best else max(means)
        if worst > best:
            scaled[task] = [
                one._replace(losses=(one.losses - best) / (worst - best)) for one in rivals
            ]
    return scaled


def _places(
    tasks: Mapping[str, Sequence[Contender]], names: Sequence[str], generator: np.random.Generator
) -> dict[str, dict[str, float]]:
    """Of each name its mean rank with interval, and how often it is the least."""
    if not names:
        return {}
    means = np.empty((1 + RESAMPLES, len(tasks), len(names)))
    for t, rivals in enumerate(tasks.values()):
        entries = {one.name: one for one in rivals}
        for i, name in enumerate(names):
            means[0, t, i] = entries[name].loss
            means[1:, t, i] = resampled(entries[name].losses, generator)
    found = {name: {"rank": rank} for name, rank in zip(names, _mean_ranks(means[0]), strict=True)}
    if not np.isnan(means).any():
        ranks = _mean_ranks(means[1:])
        least = ranks == ranks.min(axis=-1, keepdims=True)
        best = (least / least.sum(axis=-1, keepdims=True)).mean(axis=0)
        for i, name in enumerate(names):
            low, high = percentile(ranks[:, i])
            found[name] |= {"rank_low": low, "rank_high": high, "best_probability": best[i]}
    return found


def _mean_ranks(means: np.ndarray) -> np.ndarray:
    """`[..., N]` mean ranks over tasks of `[..., G, N]` losses."""
    return rankdata(means, axis=-1).mean(axis=-2)


def _score(scaled: Mapping[str, Sequence[Contender]], name: str, seed: int) -> dict[str, float]:
    """The normalised scores of a contender over the seeds of all tasks, 1 the best."""
    if not scaled:
        return {}
    scores = [1 - one.losses for rivals in scaled.values() for one in rivals if one.name == name]
    mean, iqm = stratified(scores), bootstrap(scores, interquartile_mean, seed=seed)
    found = {"score": mean.mean, "score_half": mean.half}
    return found | {"iqm": iqm.value, "iqm_low": iqm.low, "iqm_high": iqm.high}
