"""Pareto fronts: known cases, ties, and the definition written out."""

from __future__ import annotations

import numpy as np
import pytest

from seqexp.analysis.pareto import front


@pytest.mark.parametrize(
    ("costs", "scores", "goal", "expected"),
    [
        ([1, 2, 3], [3, 2, 1], "min", [1, 1, 1]),
        ([1, 2, 3], [3, 2, 1], "max", [1, 0, 0]),
        ([1, 2, 3], [1, 2, 3], "max", [1, 1, 1]),
        ([1, 1], [2, 2], "min", [1, 1]),  # the same point twice
        ([1, 1], [2, 3], "min", [1, 0]),  # one cost, one is better
        ([1, 2], [3, 3], "min", [1, 0]),  # one score, one is cheaper
        ([1, np.nan, 3], [3, 0, np.nan], "min", [1, 0, 0]),
        ([5], [7], "max", [1]),
        ([], [], "min", []),
    ],
)
def test_known_fronts(costs, scores, goal, expected):
    assert front(costs, scores, goal).tolist() == [bool(member) for member in expected]


@pytest.mark.parametrize("goal", ["min", "max"])
@pytest.mark.parametrize("seed", range(20))
def test_against_the_definition(goal, seed):
    rng = np.random.default_rng(seed)
    costs, scores = rng.integers(0, 6, (2, 25)).astype(float)  # few values, many ties
    scores[rng.random(25) < 0.1] = np.nan

    def dominates(i: int, j: int) -> bool:
        gain = scores[j] - scores[i] if goal == "min" else scores[i] - scores[j]
        return (costs[i] <= costs[j] and gain >= 0) and (costs[i] < costs[j] or gain > 0)

    slow = [
        not np.isnan(scores[j]) and not any(dominates(i, j) for i in range(25)) for j in range(25)
    ]
    assert front(costs, scores, goal).tolist() == slow
