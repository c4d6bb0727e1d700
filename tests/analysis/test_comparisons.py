"""Pairs of models: planted winners, ties and losses, and every statistic against a slow one."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from seqexp.analysis.comparisons import (
    compare,
    hedges_g,
    holm,
    improvement,
    least_p,
    ranked,
    sign_flip_p,
)
from seqexp.analysis.contenders import Contender
from seqexp.analysis.statistics import estimate


def contender(name, losses, seeds=None, diverged=0, failed=0):
    losses = np.array(losses, dtype=float)
    seeds = np.arange(len(losses)) if seeds is None else np.array(seeds)
    return Contender(name, name, name, seeds, losses, np.zeros((len(losses), 6)), diverged, failed)


def compared(*rivals):
    return compare({"task": rivals}).to_dict("records")


@pytest.mark.parametrize("n", range(1, 9))
def test_p_is_that_of_all_flips(n):
    d = np.random.default_rng(n).normal(0.4, 1, n).round(1)  # rounded, so that sums tie
    sums = [
        abs(sum(s * x for s, x in zip(signs, d, strict=True)))
        for signs in itertools.product((-1, 1), repeat=n)
    ]
    assert sign_flip_p(d) == np.mean([total >= abs(d.sum()) - 1e-9 for total in sums])
    if n > 1:
        scipys = stats.permutation_test(
            (d,), np.mean, permutation_type="samples", n_resamples=10**6, vectorized=False
        )
        assert sign_flip_p(d) == pytest.approx(scipys.pvalue)


@pytest.mark.parametrize("n", [1, 2, 3, 5, 10, 16])
def test_p_has_a_floor(n):
    assert sign_flip_p(np.arange(1.0, n + 1)) == least_p(n) == 2 / 2**n


def test_p_of_no_difference_is_one_and_of_no_pair_unknown():
    assert sign_flip_p(np.zeros(4)) == 1
    assert math.isnan(sign_flip_p(np.array([])))


def test_p_of_many_pairs_is_drawn():
    d = np.random.default_rng(3).normal(0.4, 1, 30)
    _, expected = stats.ttest_1samp(d, 0)
    assert sign_flip_p(d) == pytest.approx(expected, abs=0.01)
    assert sign_flip_p(np.ones(40)) == least_p(40) == 1 / (2**15 + 1)


def test_holm_by_hand():
    # 4 x 0.01, 3 x 0.02 = 0.06, 2 x 0.03 = 0.06, 1 x 0.04 raised to the one before
    p = np.array([0.04, 0.01, 0.03, 0.02])
    np.testing.assert_allclose(holm(p, 4), [0.06, 0.04, 0.06, 0.06])
    np.testing.assert_allclose(holm(p, 10), [0.28, 0.1, 0.24, 0.18])  # 7, 10, 8 and 9 times
    np.testing.assert_allclose(holm(np.array([0.5, np.nan, 0.9]), 3), [1, np.nan, 1])
    assert len(holm(np.array([]), 0)) == 0


def test_hedges_g_by_hand():
    # both have s = 1, and means 2 apart; J = 1 - 3 / (8 * 3 - 9) = 0.8
    assert hedges_g(np.array([1.0, 2, 3]), np.array([3.0, 4, 5])) == pytest.approx(1.6)
    assert hedges_g(np.array([3.0, 4, 5]), np.array([1.0, 2, 3])) == pytest.approx(-1.6)


def test_hedges_g_is_not_biased():
    rng = np.random.default_rng(0)
    found = [hedges_g(rng.normal(0, 1, 4), rng.normal(1, 1, 4)) for _ in range(4_000)]
    assert np.mean(found) == pytest.approx(1, abs=0.05)  # without J it would be 1.15


def test_hedges_g_of_constant_scores():
    assert hedges_g(np.full(3, 0.1), np.full(3, 0.1)) == 0
    assert hedges_g(np.full(3, 0.1), np.full(3, 0.2)) == math.inf
    assert math.isnan(hedges_g(np.array([1.0]), np.array([2.0])))


@pytest.mark.parametrize("sizes", [(3, 3), (4, 7), (20, 15)])
def test_improvement_is_mann_whitneys(sizes):
    rng = np.random.default_rng(5)
    a, b = (rng.integers(0, 9, n).astype(float) for n in sizes)
    found = improvement([a], [b])
    u = stats.mannwhitneyu(b, a).statistic / (len(a) * len(b))
    assert found.value == pytest.approx(u)
    assert found.low <= found.value <= found.high and found.n == min(sizes)


def test_improvement_covers():
    """P(X < Y) of two normals one apart is Phi(1 / sqrt(2)) = 0.7602."""
    rng = np.random.default_rng(0)
    found = [improvement([rng.normal(0, 1, 20)], [rng.normal(1, 1, 20)]) for _ in range(200)]
    hits = [one.low <= 0.7602 <= one.high for one in found]
    assert 0.90 <= np.mean(hits) <= 0.98


def test_improvement_of_separate_runs_is_not_certain():
    found = improvement([np.array([1.0, 2, 3])], [np.array([4.0, 5, 6])])
    exact = stats.binomtest(3, 3).proportion_ci(0.95, method="exact")
    np.testing.assert_allclose(found, (1, exact.low, 1, 3))
    back = improvement([np.array([4.0, 5, 6])], [np.array([1.0, 2, 3])])
    np.testing.assert_allclose(back, (0, 0, 1 - exact.low, 3))


def test_a_known_winner():
    rng = np.random.default_rng(2)
    good, bad = rng.normal(0.1, 0.01, 8), rng.normal(0.5, 0.01, 8)
    [row] = compared(contender("bad", bad), contender("good", good))
    gain = estimate(bad - good)
    assert (row["a"], row["b"], row["n"], row["dropped"]) == ("good", "bad", 8, 0)
    assert (row["advantage"], row["advantage_half"]) == pytest.approx((gain.mean, gain.half))
    assert row["p"] == row["p_floor"] == row["p_holm"] == 2 / 2**8
    assert row["effect"] > 20 and row["improvement"] == 1 and row["improvement_low"] > 0.6


def test_an_exact_tie():
    [row] = compared(contender("a", [0.2, 0.3, 0.4]), contender("b", [0.2, 0.3, 0.4]))
    assert (row["advantage"], row["advantage_half"], row["effect"], row["p"]) == (0, 0, 0, 1)
    assert row["improvement"] == 0.5 and row["improvement_low"] < 0.5 < row["improvement_high"]


def test_constant_scores():
    [row] = compared(contender("a", [0.1] * 3), contender("b", [0.2] * 3))
    assert row["advantage"] == pytest.approx(0.1) and row["advantage_half"] == 0
    assert row["effect"] == math.inf and row["p"] == 0.25
    [tie] = compared(contender("a", [0.1] * 3), contender("b", [0.1] * 3))
    assert [tie[f"improvement{end}"] for end in ("", "_low", "_high")] == [0.5, 0.5, 0.5]


def test_one_seed_says_nothing_of_spread():
    [row] = compared(contender("a", [0.1]), contender("b", [0.2]))
    assert row["n"] == 1 and row["p"] == row["p_floor"] == 1
    assert all(np.isnan(row[k]) for k in ("advantage_half", "effect", "improvement_low"))


def test_seeds_are_paired_by_number():
    a = contender("a", [1.0, 2.0, 3.0], seeds=[0, 1, 2])
    b = contender("b", [2.5, 3.5, 9.0], seeds=[1, 2, 7])
    [row] = compared(a, b)
    assert (row["n"], row["dropped"]) == (2, 2)
    assert (row["advantage"], row["advantage_half"]) == (0.5, 0)  # 2.5 - 2 and 3.5 - 3


def test_no_seed_in_common():
    [row] = compared(contender("a", [1.0], seeds=[0]), contender("b", [2.0], seeds=[1]))
    assert (row["n"], row["dropped"]) == (0, 2)
    assert np.isnan(row["advantage"]) and np.isnan(row["p"]) and np.isnan(row["p_floor"])


def test_lost_runs_are_named_and_a_diverged_one_beats_none():
    a = contender("a", [0.1, 0.1], diverged=2, failed=1)
    b = contender("b", [0.2, 0.2, 0.2, 0.2])
    [row] = compared(a, b)
    assert [row[k] for k in ("diverged_a", "failed_a", "diverged_b", "failed_b")] == [2, 1, 0, 0]
    assert (row["n"], row["dropped"]) == (2, 2)
    assert row["improvement"] == 0.5  # half of a's runs are better than all of b's, half are worse


def test_who_finished_nothing_is_not_compared():
    lost = contender("lost", [], diverged=3)
    assert [(row["a"], row["b"]) for row in compared(contender("a", [1.0]), lost)] == []
    assert ranked({"one": [lost]}) == []


def test_p_is_corrected_for_all_pairs():
    rng = np.random.default_rng(0)
    rows = compared(*(contender(name, rng.normal(i, 1, 6)) for i, name in enumerate("abcd")))
    assert len(rows) == 6
    expected = holm(np.array([r["p"] for r in rows]), 6)
    np.testing.assert_allclose([r["p_holm"] for r in rows], expected)
    assert all(r["p_holm"] >= r["p"] for r in rows)


def test_of_many_only_the_best_is_compared():
    rivals = [contender(f"{i:02}", [i, i + 0.5]) for i in range(21)]
    rows = compared(*reversed(rivals))
    assert len(rows) == 20 and {row["a"] for row in rows} == {"00"}
    assert {row["comparisons"] for row in rows} == {21 * 20 / 2}


def test_tasks_have_the_same_weight():
    """Two pairs of one task and four of the other: the mean of their means."""
    first = [contender("a", [0.0, 0.0]), contender("b", [1.0, 3.0])]
    second = [contender("a", [0.0] * 4), contender("b", [4.0, 5.0, 6.0, 5.0])]
    [row] = compare({"one": first, "two": second}).to_dict("records")
    assert row["advantage"] == (2 + 5) / 2 and row["n"] == 6 and row["p"] == 2 / 2**6
    flips = [
        abs(np.dot(s[:2], [1, 3]) / 2 + np.dot(s[2:], [4, 5, 6, 5]) / 4) >= 7 - 1e-9
        for s in itertools.product((-1, 1), repeat=6)
    ]
    assert row["p"] == np.mean(flips)


def test_who_misses_a_task_is_not_compared_over_tasks():
    first = [contender(name, [i]) for i, name in enumerate("abc")]
    rows = compare({"one": first, "two": first[:2]}).to_dict("records")
    assert [(row["a"], row["b"]) for row in rows] == [("a", "b")]
