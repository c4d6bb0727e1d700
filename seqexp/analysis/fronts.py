"""The Pareto fronts of a task, and how sure they are over seeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from seqexp.analysis.axes import COMPARED
from seqexp.analysis.bootstrap import RESAMPLES, SEED, draws, resampled
from seqexp.analysis.contenders import Contender
from seqexp.analysis.pareto import chances, front, hypervolume

ALL = "all"
"""The name of the front against every known cost at once."""

MARGIN = 2.0
"""A hypervolume is measured up to so many times the largest cost."""


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
    luck, and taking three pairs for granted would make chance alignments certain. A cost that
    varies over seeds (a time measured anew) is resampled with the scores, as the median; others are
    constants. A contender with one seed has no probability, nor has one whose place hangs on it:
    see `chances`. Without a finished run it has no row. For all costs at once, only those count
    that are known of everyone.

    Args:
        rivals: the contenders on one task.
        seed: of the bootstrap.
    """
    rivals = [one for one in rivals if len(one.losses)]
    labels = [one.label for one in rivals]
    losses, costs = _resampled(rivals, np.random.default_rng(seed))
    means = np.array([one.loss for one in rivals])
    medians = np.array([np.median(one.costs, axis=0) for one in rivals]).reshape(-1, len(COMPARED))
    points, pairs = [], []
    for axis, columns in _axes(medians).items():
        on_front = front(medians[:, columns], means, "min")
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


def hypervolumes(rivals: Sequence[Contender], baseline: float | None) -> pd.DataFrame:
    """How much of the plane of cost and score each model covers with all its contenders.

    Scores are means over seeds and costs in decades, from those of the contenders up to twice the
    largest, and down to the loss of the baseline, or without one to that of the worst contender.

    Args:
        rivals: the contenders on one task.
        baseline: the best loss that needs no model, negated where more is better.

    Returns:
        A row a cost, known and positive for everyone, and model: `axis`, `model`, `hypervolume`,
        and its `share` of that of all models together.
    """
    rivals = [one for one in rivals if len(one.losses)]
    means = np.array([one.loss for one in rivals])
    medians = np.array([np.median(one.costs, axis=0) for one in rivals]).reshape(-1, len(COMPARED))
    models = np.array([one.model for one in rivals])
    rows = []
    for axis, [column] in _axes(medians, several=False).items():
        cost = medians[:, column]
        if not np.all(cost > 0):
            continue
        reference = (MARGIN * cost.max(), means.max() if baseline is None else baseline)
        whole = hypervolume(cost, means, "min", reference, log_cost=True)
        for model in dict.fromkeys(models):
            own = models == model
            volume = hypervolume(cost[own], means[own], "min", reference, log_cost=True)
            rows.append((axis, model, volume, volume / whole if whole else np.nan))
    return pd.DataFrame(rows, columns=pd.Index(["axis", "model", "hypervolume", "share"]))


def _resampled(
    rivals: Sequence[Contender], generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """`[R, N]` mean losses, and `[R, N, K]` median costs, or `[N, K]` where none varies."""
    losses = np.full((RESAMPLES, len(rivals)), np.nan)
    costs = np.full((RESAMPLES, len(rivals), len(COMPARED)), np.nan)
    varying = False
    for i, one in enumerate(rivals):
        losses[:, i] = resampled(one.losses, generator)
        costs[:, i] = one.costs[0]
        others = np.ptp(one.costs, axis=0) > 0
        if others.any():
            varying = True
            drawn = one.costs[draws(len(one.losses), generator)]
            costs[:, i, others] = np.median(drawn[..., others], axis=1)
    return losses, costs if varying else costs[0]


def _axes(medians: np.ndarray, *, several: bool = True) -> dict[str, list[int]]:
    """The columns of each axis that is known of anyone, and of all that are known of everyone."""
    known = np.isfinite(medians)
    axes = {axis.key: [k] for k, axis in enumerate(COMPARED) if known[:, k].any()}
    common = [k for k in range(len(COMPARED)) if len(medians) and known[:, k].all()]
    return axes | ({ALL: common} if several and len(common) > 1 else {})
