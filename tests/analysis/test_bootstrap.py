"""Intervals from resamples: against scipy, degenerate data, and the coverage that is claimed."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from seqexp.analysis.bootstrap import (
    RESAMPLES,
    bootstrap,
    draws,
    interquartile_mean,
    mean,
    percentile,
    resampled,
    weights,
)
from seqexp.analysis.statistics import Interval, estimate


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 7, 8, 13, 100])
def test_interquartile_mean_is_scipys_trimmed_mean(n):
    x = np.random.default_rng(n).standard_normal((6, n))
    np.testing.assert_allclose(interquartile_mean(x), stats.trim_mean(x, 0.25, axis=-1))


def test_interquartile_mean_by_hand():
    assert interquartile_mean(np.array([9, 1, 2, 100, 3, 4, -50, 5])) == 3.5  # of 2, 3, 4, 5


@pytest.mark.parametrize("n", [2, 3, 5, 20])
def test_resampled_means_vary_as_means_should(n):
    """By s^2 / n, where those of plain resamples vary by (n - 1) / n of it."""
    x = np.random.default_rng(n).standard_normal(n)
    expected = x.var(ddof=1) / n
    means = resampled(x, np.random.default_rng(1))
    assert means.var() == pytest.approx(expected, rel=0.12)
    assert means.mean() == pytest.approx(x.mean(), abs=4 * np.sqrt(expected / RESAMPLES))
    by_weight = weights(n, np.random.default_rng(2)) @ x
    assert by_weight.var() == pytest.approx(expected, rel=0.12)


def test_draws_and_weights_have_their_shapes():
    drawn = draws(5, np.random.default_rng(0))
    assert drawn.shape == (RESAMPLES, 5) and set(np.unique(drawn)) == set(range(5))
    shares = weights(5, np.random.default_rng(0))
    assert shares.shape == (RESAMPLES, 5) and np.all(shares >= 0)
    np.testing.assert_allclose(shares.sum(axis=1), 1)


@pytest.mark.parametrize("statistic", [mean, interquartile_mean])
@pytest.mark.parametrize("n", [2, 3, 5, 12])
def test_constant_scores_have_an_interval_of_no_width(statistic, n):
    assert bootstrap([[0.1] * n], statistic) == Interval(0.1, 0.1, 0.1, n)
    found = bootstrap([[0.1] * n, [0.7] * n], statistic)
    assert found.low == found.value == found.high and found.value == pytest.approx(0.4)


@pytest.mark.parametrize("groups", [[[0.3]], [[0.3], [0.3, 0.3]]])
def test_one_score_has_no_interval(groups):
    found = bootstrap(groups, interquartile_mean)
    assert found.value == 0.3 and math.isnan(found.low) and math.isnan(found.high)


@pytest.mark.parametrize("groups", [[], [[]], [[1.0, 2.0], []]])
def test_no_score_has_no_value(groups):
    found = bootstrap(groups)
    assert found.n == sum(map(len, groups)) and all(math.isnan(end) for end in found[:3])


def test_values_that_are_not_finite_are_not_counted():
    assert bootstrap([[1.0, math.nan, 3.0, math.inf]]) == bootstrap([[1.0, 3.0]])


def test_the_seed_fixes_an_interval():
    x = np.random.default_rng(0).standard_normal(12)
    assert bootstrap([x]) == bootstrap([x]) == bootstrap([x], seed=0) != bootstrap([x], seed=1)


@pytest.mark.parametrize("n", [2, 3, 5, 20])
def test_the_interval_of_a_mean_is_as_wide_as_students(n):
    x = np.random.default_rng(n).standard_normal(n)
    found, student = bootstrap([x]), estimate(x)
    assert found.high - found.low == pytest.approx(2 * student.half)
    assert found.value == pytest.approx(student.mean) and found.low < found.value < found.high


def test_an_outlier_moves_the_interquartile_mean_little():
    good = [0.10, 0.11, 0.12, 0.13, 0.14, 0.15, 0.16, 0.17]
    first = bootstrap([good], interquartile_mean)
    second = bootstrap([[*good[:-1], 5.0]], interquartile_mean)
    assert first.value == second.value == pytest.approx(0.135)
    assert estimate([*good[:-1], 5.0]).mean > 0.7


def coverage(statistic, truth, draw, repeats):
    found = [bootstrap(draw(), statistic) for _ in range(repeats)]
    return np.mean([one.low <= truth <= one.high for one in found])


@pytest.mark.parametrize("statistic", [mean, interquartile_mean])
@pytest.mark.parametrize("n", [3, 5, 20])
def test_coverage_of_normal_seeds(statistic, n):
    rng = np.random.default_rng(0)
    hits = coverage(statistic, 0, lambda: [rng.standard_normal(n)], 500)
    assert 0.92 <= hits <= 0.99


def test_coverage_over_tasks_that_differ_in_mean_and_spread():
    """Four tasks of three seeds; the truth is the mean of very many interquartile means."""
    rng = np.random.default_rng(0)
    centers, spreads = (
        np.array([[0.0], [0.8], [1.0], [0.5]]),
        np.array([[0.1], [0.05], [0.2], [0.1]]),
    )
    many = centers + spreads * rng.standard_normal((20_000, 4, 3))
    truth = interquartile_mean(many.reshape(20_000, -1)).mean()
    hits = coverage(
        *(interquartile_mean, truth),
        lambda: centers + spreads * rng.standard_normal((4, 3)),
        300,
    )
    assert 0.90 <= hits <= 0.98


def test_percentiles_alone_would_cover_less():
    """Why they are widened."""
    rng = np.random.default_rng(0)
    ends = [percentile(resampled(rng.standard_normal(3), rng)) for _ in range(500)]
    assert np.mean([low <= 0 <= high for low, high in ends]) == pytest.approx(0.83, abs=0.04)
