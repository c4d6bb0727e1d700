"""Which models give the most for what they cost: Pareto fronts of a score against costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from seqexp.types import SeqexpError

Goal = Literal["min", "max"]

SURE = 1.96
"""Standard errors by which a cost is less than another by more than noise: a 95 % interval."""


def front(
    costs: Sequence[float] | np.ndarray,
    scores: Sequence[float] | np.ndarray,
    goal: Goal,
    errors: Sequence[float] | np.ndarray | float = 0.0,
) -> np.ndarray:
    """`[N]` booleans: True where no other point is at least as good in all and better in one.

    Points that tie in all costs and the score share the front. A point whose costs or score are not
    all finite is never on the front and dominates nobody. A cost that is known but for an error is
    no greater than another only where it is less by more than noise:

        log c_j - log c_i > 1.96 sqrt(e_i^2 + e_j^2)

    Args:
        costs: `[N]`, or `[N, K]` for several at once; less is better.
        scores: `[N]`, less or more is better, as `goal` says.
        goal: "min" or "max".
        errors: of the costs, relative standard errors in their shape; 0 for what is counted.
    """
    cost, loss = _columns(costs), _loss(scores, goal)
    error = np.broadcast_to(_columns(errors), cost.shape)
    known = np.isfinite(cost).all(axis=-1) & np.isfinite(loss)
    dominated = np.zeros(len(loss), dtype=bool)
    for i in np.flatnonzero(known).tolist():
        noise = np.exp(SURE * np.hypot(error[i], error))
        dominated |= _dominates(cost, loss, i, noise)
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
        costs: `[N, K]`, constant, or `[R, N, K]`, resampled too; less is better.
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
    reference: tuple[float | Sequence[float] | np.ndarray, float],
    *,
    log_cost: bool = False,
) -> np.ndarray:
    """The volume of costs and score that points dominate, up to a reference that is worse.

        integral over c <= c_ref of max_{i : c_i <= c} (l_ref - l_i)

    where l is the score, negated where more is better, and c_i <= c in every cost. A point no
    better than the reference in one of them, or not finite, adds nothing.

    Args:
        costs: `[N]`, or `[N, K]` for several at once; less is better. For K > 1 the time to measure
            may double with every point.
        scores: `[..., N]`, of as many resamples as there are.
        goal: "min" or "max".
        reference: the costs, one or `[K]`, and the score up to which it is measured.
        log_cost: whether costs are measured in decades, log10 c.

    Returns:
        `[...]`, one a resample.

    Raises:
        SeqexpError: a cost that is not positive has no logarithm.

    Zitzler and Thiele (1998), "Multiobjective optimization using evolutionary algorithms",
    https://doi.org/10.1007/BFb0056872
    """
    cost, loss = _columns(costs), _loss(scores, goal)
    furthest = np.broadcast_to(np.asarray(reference[0], dtype=float), cost.shape[1:])
    worst = float(_loss([reference[1]], goal)[0])
    inside = np.flatnonzero((np.isfinite(cost) & (cost < furthest)).all(axis=-1))
    if log_cost:
        if np.any(cost[inside] <= 0) or np.any(furthest <= 0):
            raise SeqexpError("costs of 0 or less have no logarithm: measure with log_cost=False")
        cost, furthest = np.log10(np.where(cost > 0, cost, 1)), np.log10(furthest)
    gain = np.where(np.isfinite(loss), np.maximum(0, worst - loss), 0)
    volume = np.zeros(loss.shape[:-1])
    for members, size in _affordable(cost, furthest, inside).items():
        volume += size * gain[..., list(members)].max(axis=-1)
    return volume


def areas(costs: np.ndarray, losses: np.ndarray, ends: np.ndarray, worst: float) -> np.ndarray:
    """`[R]` areas as of `hypervolume` in decades of one cost, which is resampled as well.

    Args:
        costs: `[R, N]`, above 0.
        losses: `[R, N]`, less is better.
        ends: `[R]`, the costs up to which is measured.
        worst: the loss up to which is measured.
    """
    order = np.argsort(costs, axis=1)
    x = np.minimum(np.take_along_axis(costs, order, axis=1), ends[:, None])
    gain = np.nan_to_num(worst - np.take_along_axis(losses, order, axis=1), nan=0.0).clip(0)
    widths = np.diff(np.log10(np.column_stack([x, ends])), axis=1)
    return (widths * np.maximum.accumulate(gain, axis=1)).sum(axis=1)


def _affordable(
    cost: np.ndarray, furthest: np.ndarray, inside: np.ndarray
) -> dict[tuple[int, ...], float]:
    """The space of costs, cut up by which points can be had there: their places, and the volume."""
    volumes = {tuple(inside.tolist()): 1.0}
    for column, end in zip(cost.T, furthest, strict=True):
        cut: dict[tuple[int, ...], float] = {}
        for members, volume in volumes.items():
            order = sorted(members, key=lambda i: column[i])
            widths = np.diff([*column[order], end])
            for n in np.flatnonzero(widths > 0).tolist():
                had = tuple(sorted(order[: n + 1]))
                cut[had] = cut.get(had, 0.0) + volume * float(widths[n])
        volumes = cut
    return volumes


def _dominates(
    cost: np.ndarray, loss: np.ndarray, i: int, noise: np.ndarray | float = 1.0
) -> np.ndarray:
    """`[..., N]`: does point i of `[..., N, K]` costs and `[..., N]` losses dominate the others?

    `noise` is the ratio from which on a cost is less than another for sure.
    """
    own_cost, own_loss = cost[..., i, None, :], loss[..., i, None]
    no_worse = (own_cost * noise <= cost).all(axis=-1) & (own_loss <= loss)
    return no_worse & ((own_cost < cost).any(axis=-1) | (own_loss < loss))


def _columns(costs: Sequence[float] | np.ndarray | float) -> np.ndarray:
    cost = np.asarray(costs, dtype=float)
    return cost[:, None] if cost.ndim == 1 else cost


def _loss(scores: Sequence[float] | np.ndarray, goal: Goal) -> np.ndarray:
    return np.asarray(scores, dtype=float) * (1 if goal == "min" else -1)
