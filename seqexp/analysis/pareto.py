"""Which models give the most for what they cost: Pareto fronts of a score against costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from seqexp.types import SeqexpError

Goal = Literal["min", "max"]


def front(
    costs: Sequence[float] | np.ndarray, scores: Sequence[float] | np.ndarray, goal: Goal
) -> np.ndarray:
    """`[N]` booleans: True where no other point is at least as good in all and better in one.

    Points that tie in all costs and the score share the front. A point whose costs or score are not
    all finite is never on the front and dominates nobody.

    Args:
        costs: `[N]`, or `[N, K]` for several at once; less is better.
        scores: `[N]`, less or more is better, as `goal` says.
        goal: "min" or "max".
    """
    cost, loss = _columns(costs), _loss(scores, goal)
    known = np.isfinite(cost).all(axis=-1) & np.isfinite(loss)
    dominated = np.zeros(len(loss), dtype=bool)
    for i in np.flatnonzero(known).tolist():
        dominated |= _dominates(cost, loss, i)
    return known & ~dominated


class Chances(NamedTuple):
    """How sure a front is, as shares of resamples.

    Attributes:
        front: `[N]`, where the point is on the front.
        dominates: `[N, N]`, where the point of the row dominates that of the column.
    """

    front: np.ndarray
    dominates: np.ndarray


def chances(costs: np.ndarray, scores: np.ndarray, goal: Goal) -> Chances:
    """In which shares of the resamples a point is on the front, and dominates another.

    A score that is NaN is not known: what hangs on it is NaN too, which is everything about its own
    point, and the place on the front of all points that cost no less. A point without a cost is
    never on the front and dominates nobody.

    Args:
        costs: `[N, K]`, constant, or `[R, N, K]`, resampled with the scores; less is better.
        scores: `[R, N]` resamples; a column is NaN where a point's spread is not known.
        goal: "min" or "max".
    """
    loss = _loss(scores, goal)
    cost = costs if costs.ndim == 3 else costs[None]
    priced = np.all(np.isfinite(cost), axis=-1)
    unknown = np.any(np.isnan(loss), axis=0)
    on_front, unsure = np.broadcast_to(priced, loss.shape).copy(), unknown.copy()
    shares = np.zeros((loss.shape[1], loss.shape[1]))
    for i in range(loss.shape[1]):
        pair = priced[:, i, None] & priced
        dominated = pair & _dominates(cost, loss, i)
        on_front &= ~dominated
        shares[i] = dominated.mean(axis=0)
        if unknown[i]:
            unsure |= (pair & (cost[:, i, None] <= cost).all(axis=-1)).any(axis=0)
    probability = np.where(unsure & priced.any(axis=0), np.nan, on_front.mean(axis=0))
    shares[unknown], shares[:, unknown] = np.nan, np.nan
    np.fill_diagonal(shares, 0.0)
    return Chances(probability, shares)


def hypervolume(
    costs: Sequence[float] | np.ndarray,
    scores: Sequence[float] | np.ndarray,
    goal: Goal,
    reference: tuple[float, float],
    *,
    log_cost: bool = False,
) -> float:
    """The area of cost and score that points dominate, up to a reference that is worse than they.

        sum_i (c_(i + 1) - c_(i)) (l_ref - l_i),   c_(1) < ... < c_(n),   c_(n + 1) = c_ref

    over the points of the front, by ascending cost c; l is the score, negated where more is better.
    A point no better than the reference in both, or not finite, adds nothing.

    Args:
        costs: `[N]`, less is better.
        scores: `[N]`.
        goal: "min" or "max".
        reference: the cost and the score up to which the area is measured.
        log_cost: whether costs are measured in decades, log10 c.

    Raises:
        SeqexpError: a cost that is not positive has no logarithm.

    Zitzler and Thiele (1998), "Multiobjective optimization using evolutionary algorithms",
    https://doi.org/10.1007/BFb0056872
    """
    cost, loss = np.asarray(costs, dtype=float), _loss(scores, goal)
    furthest, worst = float(reference[0]), float(_loss([reference[1]], goal)[0])
    inside = np.isfinite(cost) & np.isfinite(loss) & (cost < furthest) & (loss < worst)
    cost, loss = cost[inside], loss[inside]
    if log_cost:
        if np.any(cost <= 0) or furthest <= 0:
            raise SeqexpError("costs of 0 or less have no logarithm: measure with log_cost=False")
        cost, furthest = np.log10(cost), float(np.log10(furthest))
    order = np.argsort(cost, kind="stable")
    best = np.minimum.accumulate(loss[order])
    widths = np.diff(np.append(cost[order], furthest))
    return float(np.sum(widths * (worst - best)))


def _dominates(cost: np.ndarray, loss: np.ndarray, i: int) -> np.ndarray:
    """`[..., N]`: does point i of `[..., N, K]` costs and `[..., N]` losses dominate the others?"""
    own_cost, own_loss = cost[..., i, None, :], loss[..., i, None]
    no_worse = (own_cost <= cost).all(axis=-1) & (own_loss <= loss)
    return no_worse & ((own_cost < cost).any(axis=-1) | (own_loss < loss))


def _columns(costs: Sequence[float] | np.ndarray) -> np.ndarray:
    cost = np.asarray(costs, dtype=float)
    return cost[:, None] if cost.ndim == 1 else cost


def _loss(scores: Sequence[float] | np.ndarray, goal: Goal) -> np.ndarray:
    return np.asarray(scores, dtype=float) * (1 if goal == "min" else -1)
