"""The Pareto fronts of a task, and how sure they are over seeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from seqexp.analysis.axes import COMPARED
from seqexp.analysis.bootstrap import RESAMPLES, SEED, draws, percentile, resampled
from seqexp.analysis.contenders import Contender
from seqexp.analysis.pareto import areas, chances, front, hypervolume

ALL = "all"
"""The name of the front against every known cost at once."""

MARGIN = 2.0
"""A hypervolume is measured up to so many times the largest cost."""

JOINT = 12
"""Of more contenders no hypervolume of all costs is told: it would take too long to measure."""


class Fronts(NamedTuple):
    """The fronts of one task, one against each known cost and one against all of them.

    Attributes:
        points: a row an axis (a key of `COMPARED`, or "all") and contender: `axis`, `label`,
            `front`, whether it is on the front of the mean scores, and `probability`, the share of
            resamples in which it is.
        dominates: a row an axis and two contenders: `axis`, `a`, `b`, and `probability`, the share
            of resamples in which a costs no more and scores no worse, and is better in one.
    """

    points: pd.DataFrame
    dominates: pd.DataFrame


def fronts(rivals: Sequence[Contender], *, seed: int = SEED) -> Fronts:
    """The fronts of test scores against costs, over resamples of every contender's finished seeds.

    Contenders are resampled apart, although they share seeds, as in Agarwal et al. 2021: what the
    same seed has in common for two models is the order of the data, which is the smaller part of
    luck, and taking three pairs for granted would make chance alignments certain. A cost that is
    measured is resampled too, as the median times exp(e z), where e is its relative standard error
    (see `spreads`) and z is normal; so is one that is counted and varies over seeds, by drawing
    from these; others are constants. On the front of the means a measured cost counts as less only
    where it is so by more than noise, see `front`. A contender with one seed has no probability,
    nor has one whose place hangs on it: see `chances`. Without a finished run it has no row. For
    all costs at once, only those count that are known of everyone.

    Args:
        rivals: the contenders on one task.
        seed: of the bootstrap.
    """
    rivals = [one for one in rivals if len(one.losses)]
    labels = [one.label for one in rivals]
    losses, costs = _resampled(rivals, np.random.default_rng(seed))
    means = np.array([one.loss for one in rivals])
    medians = np.array([np.median(one.costs, axis=0) for one in rivals]).reshape(-1, len(COMPARED))
    errors = np.array([one.errors for one in rivals]).reshape(-1, len(COMPARED))
    points, pairs = [], []
    for axis, columns in _axes(medians).items():
        on_front = front(medians[:, columns], means, "min", errors[:, columns])
        chance = chances(costs[..., columns], losses, "min")
        points += zip([axis] * len(labels), labels, on_front, chance.front, strict=True)
        pairs += [
            (axis, a, b, chance.dominates[i, j])
            for i, a in enumerate(labels)
            for j, b in enumerate(labels)
            if i != j
        ]
    return Fronts(
        pd.DataFrame(points, columns=pd.Index(["axis", "label", "front", "probability"])),
        pd.DataFrame(pairs, columns=pd.Index(["axis", "a", "b", "probability"])),
    )


def hypervolumes(
    rivals: Sequence[Contender], baseline: float | None, *, seed: int = SEED
) -> pd.DataFrame:
    """How much of what costs and scores span each model covers with all its contenders.

    Scores are means over seeds and costs in decades, from those of the contenders up to twice the
    largest, and down to the loss of the baseline, or without one to that of the worst contender.
    Over resamples of every contender's seeds the scores vary, and the costs that are measured, see
    `fronts`; for all costs at once these are medians.

    Args:
        rivals: the contenders on one task.
        baseline: the best loss that needs no model, negated where more is better.
        seed: of the bootstrap.

    Returns:
        A row a cost, known and positive for everyone, and model, and for all costs at once ("all")
        where there are no more than 12 contenders: `axis`, `model`, `hypervolume`, its `share` of
        that of all models together, with the interval from `share_low` to `share_high`, and `most`,
        the probability to cover more than any other model (ties share it); NaN where a contender
        has one seed, or no model covers anything.
    """
    rivals = [one for one in rivals if len(one.losses)]
    losses, costs = _resampled(rivals, np.random.default_rng(seed))
    means = np.array([one.loss for one in rivals])
    scores = np.vstack([means, losses]) if rivals else losses
    medians = np.array([np.median(one.costs, axis=0) for one in rivals]).reshape(-1, len(COMPARED))
    kinds = np.array([one.model for one in rivals])
    names = list(dict.fromkeys(kinds.tolist()))
    worst = means.max() if baseline is None and rivals else baseline
    rows = []
    for axis, columns in _axes(medians).items():
        cost = medians[:, columns]
        if worst is None or not np.all(cost > 0) or (axis == ALL and len(rivals) > JOINT):
            continue
        members = [np.ones(len(rivals), dtype=bool), *(kinds == name for name in names)]
        if axis == ALL:
            end = (MARGIN * cost.max(axis=0), float(worst))
            covered = [
                hypervolume(cost[own], scores[:, own], "min", end, log_cost=True) for own in members
            ]
        else:
            drawn = np.vstack([cost.T, np.broadcast_to(costs[..., columns[0]], losses.shape)])
            ends = MARGIN * drawn.max(axis=1)
            covered = [areas(drawn[:, own], scores[:, own], ends, float(worst)) for own in members]
        whole, volumes = covered[0], np.array(covered[1:])
        shares = np.divide(volumes, whole, out=np.full_like(volumes, np.nan), where=whole > 0)
        known = whole[0] > 0 and not np.isnan(losses).any()
        largest = volumes[:, 1:] == volumes[:, 1:].max(axis=0)
        most = (largest / largest.sum(axis=0) * (whole[1:] > 0)).mean(axis=1)
        for i, name in enumerate(names):
            low, high = percentile(shares[i, 1:]) if known else (np.nan, np.nan)
            row = (axis, name, float(volumes[i, 0]), float(shares[i, 0]), low, high)
            rows.append((*row, float(most[i]) if known else np.nan))
    columns = ["axis", "model", "hypervolume", "share", "share_low", "share_high", "most"]
    return pd.DataFrame(rows, columns=pd.Index(columns))


def _resampled(
    rivals: Sequence[Contender], generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """`[R, N]` mean losses, and `[R, N, K]` median costs, or `[N, K]` where none varies."""
    losses = np.full((RESAMPLES, len(rivals)), np.nan)
    costs = np.full((RESAMPLES, len(rivals), len(COMPARED)), np.nan)
    varying = False
    for i, one in enumerate(rivals):
        losses[:, i] = resampled(one.losses, generator)
        costs[:, i] = np.median(one.costs, axis=0)
        measured = one.errors > 0
        others = (np.ptp(one.costs, axis=0) > 0) & ~measured
        varying = varying or bool(measured.any() or others.any())
        if others.any():
            drawn = one.costs[draws(len(one.losses), generator)]
            costs[:, i, others] = np.median(drawn[..., others], axis=1)
        noise = generator.standard_normal((RESAMPLES, int(measured.sum())))
        costs[:, i, measured] *= np.exp(one.errors[measured] * noise)
    return losses, costs if varying else costs[0]


def _axes(medians: np.ndarray) -> dict[str, list[int]]:
    """The columns of each axis that is known of anyone, and of all that are known of everyone."""
    known = np.isfinite(medians)
    axes = {axis.key: [k] for k, axis in enumerate(COMPARED) if known[:, k].any()}
    common = [k for k in range(len(COMPARED)) if len(medians) and known[:, k].all()]
    return axes | ({ALL: common} if len(common) > 1 else {})
