"""Which models give the most for what they cost: the Pareto front of a score against a cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np


def front(
    costs: Sequence[float] | np.ndarray,
    scores: Sequence[float] | np.ndarray,
    goal: Literal["min", "max"],
) -> np.ndarray:
    """`[N]` booleans: True where no other point is at least as good in both and better in one.

    Points that tie in both cost and score share the front. A point whose cost or score is not
    finite is never on the front and dominates nobody.

    Args:
        costs: `[N]`, less is better.
        scores: `[N]`, less or more is better, as `goal` says.
    """
    cost = np.asarray(costs, dtype=float)
    loss = np.asarray(scores, dtype=float) * (1 if goal == "min" else -1)
    known = np.isfinite(cost) & np.isfinite(loss)
    cost, loss = np.where(known, cost, np.inf), np.where(known, loss, np.inf)
    # [i, j]: does i dominate j?
    no_worse = (cost[:, None] <= cost) & (loss[:, None] <= loss)
    better = (cost[:, None] < cost) | (loss[:, None] < loss)
    return known & ~np.any(no_worse & better, axis=0)
