"""Means and intervals over seeds, against scipy, by hand and by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from seqexp.analysis.statistics import Estimate, estimate, stratified


@pytest.mark.parametrize("n", [2, 3, 5, 30])
def test_interval_is_students(n):
    x = np.random.default_rng(n).normal(3, 2, n)
    low, high = stats.t.interval(0.95, n - 1, loc=x.mean(), scale=stats.sem(x))
    found = estimate(x)
    np.testing.assert_allclose([found.low, found.mean, found.high], [low, x.mean(), high])
    assert found.n == n


def test_two_seeds_by_hand():
    # s = sqrt(2), s / sqrt(2) = 1, and t(0.975, 1) = 12.7062
    mean, half, n = estimate([1, 3])
    assert (mean, n) == (2, 2)
    assert half == pytest.approx(12.7062, abs=1e-4)


def test_constant_scores_have_an_interval_of_no_width():
    assert estimate([0.1, 0.1, 0.1]) == Estimate(0.1, 0.0, 3)  # their computed mean is not 0.1


def test_one_score_has_no_interval_and_none_no_mean():
    assert estimate([0.3])[::2] == (0.3, 1) and math.isnan(estimate([0.3]).half)
    assert estimate([]).n == 0 and math.isnan(estimate([]).mean)


def test_values_that_are_not_finite_are_not_counted():
    assert estimate([1.0, math.nan, 3.0, math.inf]) == estimate([1.0, 3.0])


@pytest.mark.parametrize("n", [4, 5, 20])
def test_coverage_is_95_percent(n):
    rng = np.random.default_rng(0)
    found = [estimate(rng.standard_normal(n)) for _ in range(2_000)]
    assert np.mean([e.low <= 0 <= e.high for e in found]) == pytest.approx(0.95, abs=0.015)


def test_two_groups_are_welchs():
    """Half the sum of two means is half their difference when one is negated."""
    x, y = np.random.default_rng(1).normal(1, 1, 4), np.random.default_rng(2).normal(3, 9, 7)
    welch = stats.ttest_ind(x, -y, equal_var=False).confidence_interval(0.95)
    found = stratified([x, y])
    np.testing.assert_allclose([found.low, found.high], [welch.low / 2, welch.high / 2])
    assert found.n == 11


def test_spread_between_groups_does_not_count():
    assert stratified([[1.0, 1.0], [9.0, 9.0, 9.0]]) == Estimate(5.0, 0.0, 5)


def test_groups_without_spread_or_scores():
    assert stratified([[1.0, 2.0], [3.0]])[::2] == (2.25, 3)
    assert math.isnan(stratified([[1.0, 2.0], [3.0]]).half)
    assert math.isnan(stratified([[1.0], []]).mean) and math.isnan(stratified([]).mean)
