"""Pareto fronts: known cases, ties, the definition written out, resamples and areas."""

from __future__ import annotations

import numpy as np
import pytest

from seqexp.analysis.pareto import chances, front, hypervolume
from seqexp.types import SeqexpError


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
        ([[1, 2], [2, 1], [2, 2]], [5, 5, 5], "min", [1, 1, 0]),
        ([[1, 9], [2, 1]], [5, 4], "max", [1, 1]),
        ([[1, np.nan], [2, 1]], [0, 5], "min", [0, 1]),
    ],
)
def test_known_fronts(costs, scores, goal, expected):
    assert front(costs, scores, goal).tolist() == [bool(member) for member in expected]


def slow_front(costs, scores, goal):
    """By the definition, one pair at a time."""
    costs = np.reshape(costs, (len(scores), -1))

    def dominates(i: int, j: int) -> bool:
        gain = scores[j] - scores[i] if goal == "min" else scores[i] - scores[j]
        cheap = all(costs[i] <= costs[j]) and gain >= 0
        return cheap and (any(costs[i] < costs[j]) or gain > 0)

    n = range(len(scores))
    return [not np.isnan(scores[j]) and not any(dominates(i, j) for i in n) for j in n]


@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize("goal", ["min", "max"])
@pytest.mark.parametrize("seed", range(10))
def test_against_the_definition(goal, seed, axes):
    rng = np.random.default_rng(seed)
    costs = rng.integers(0, 6, (25, axes)).astype(float)  # few values, many ties
    scores = rng.integers(0, 6, 25).astype(float)
    scores[rng.random(25) < 0.1] = np.nan
    given = costs[:, 0] if axes == 1 else costs
    assert front(given, scores, goal).tolist() == slow_front(costs, scores, goal)


@pytest.mark.parametrize("varying", [False, True])
@pytest.mark.parametrize("goal", ["min", "max"])
def test_chances_are_shares_of_resampled_fronts(goal, varying):
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 5, (50, 6)).astype(float)
    costs = rng.integers(0, 4, (50, 6, 2) if varying else (6, 2)).astype(float)
    found = chances(costs, scores, goal)
    each = [costs[r] if varying else costs for r in range(50)]
    slow = np.mean([front(each[r], scores[r], goal) for r in range(50)], axis=0)
    np.testing.assert_allclose(found.front, slow)
    for i in range(6):
        for j in range(6):
            pair = [front(each[r][[i, j]], scores[r, [i, j]], goal)[1] for r in range(50)]
            expected = 1 - np.mean(pair) if i != j else 0
            assert found.dominates[i, j] == pytest.approx(expected)


def test_chances_by_hand():
    """The dearer one is better in three of four resamples, and ties in none."""
    found = chances(np.array([[1.0], [2.0]]), np.array([[5, 4], [5, 4], [5, 4], [5, 6.0]]), "min")
    assert found.front.tolist() == [1, 0.75]
    assert found.dominates.tolist() == [[0, 0.25], [0, 0]]


def test_what_hangs_on_an_unknown_spread_is_unknown():
    scores = np.array([[5.0, np.nan, 3.0], [4.0, np.nan, 2.0]])
    found = chances(np.array([[1.0], [2.0], [3.0]]), scores, "min")
    np.testing.assert_array_equal(found.front, [1, np.nan, np.nan])
    np.testing.assert_array_equal(
        found.dominates, [[0, np.nan, 0], [np.nan, 0, np.nan], [0, np.nan, 0]]
    )


def test_without_a_cost_none_is_on_the_front():
    found = chances(np.array([[np.nan], [1.0]]), np.array([[0.0, 5.0], [0.0, 6.0]]), "min")
    assert found.front.tolist() == [0, 1] and not found.dominates.any()


@pytest.mark.parametrize(
    ("costs", "scores", "goal", "reference", "area"),
    [
        ([1], [1], "min", (3, 4), 2 * 3),
        ([1, 2], [3, 1], "min", (4, 5), 1 * 2 + 2 * 4),
        ([2, 1], [1, 3], "min", (4, 5), 10),  # in any order
        ([1, 2, 3], [3, 1, 2], "min", (4, 5), 10),  # what is dominated adds nothing
        ([1, 1], [3, 1], "min", (4, 5), 3 * 4),  # a tie in cost
        ([1, 2], [0.7, 0.9], "max", (3, 0.5), 0.2 + 0.4),
        ([1, 9], [3, 0], "min", (4, 5), 3 * 2),  # beyond the reference
        ([1, np.nan], [3, 0], "min", (4, 5), 6),
        ([], [], "min", (1, 1), 0),
    ],
)
def test_hypervolume_by_hand(costs, scores, goal, reference, area):
    assert hypervolume(costs, scores, goal, reference) == pytest.approx(area)


def test_hypervolume_of_random_points_is_what_chance_hits():
    rng = np.random.default_rng(0)
    costs, scores = rng.random((2, 12))
    darts = rng.random((40_000, 2))
    hit = np.any((costs <= darts[:, :1]) & (scores <= darts[:, 1:]), axis=1).mean()
    assert hypervolume(costs, scores, "min", (1, 1)) == pytest.approx(hit, abs=0.01)


def test_hypervolume_in_decades():
    assert hypervolume([10, 100], [3, 1], "min", (1000, 5), log_cost=True) == pytest.approx(6)
    with pytest.raises(SeqexpError, match="no logarithm"):
        hypervolume([0, 100], [3, 1], "min", (1000, 5), log_cost=True)


def test_hypervolume_of_several_costs_and_of_resamples_is_what_chance_hits():
    rng = np.random.default_rng(0)
    costs, scores = rng.random((8, 3)), rng.random((5, 8))
    darts = rng.random((40_000, 4))
    had = np.all(costs <= darts[:, None, :3], axis=-1)
    hits = [np.any(had & (losses <= darts[:, 3:]), axis=1).mean() for losses in scores]
    found = hypervolume(costs, scores, "min", (1, 1))
    np.testing.assert_allclose(found, hits, atol=0.01)
    assert hypervolume(costs, 1 - scores, "max", ([1, 1, 1], 0)) == pytest.approx(found)


def test_hypervolume_in_decades_of_each_cost():
    cube = hypervolume(np.array([[10, 1]]), [1], "min", ([1000, 10], 5), log_cost=True)
    assert cube == pytest.approx(2 * 1 * 4)
