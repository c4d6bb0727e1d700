"""Dynamic time warping against its recursion, its properties and the archives' baselines."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from seqexp.data.dynamic_time_warping import dtw_distances, nearest_labels
from seqexp.types import SeqexpError


def slow(x: np.ndarray, y: np.ndarray, band: int | None) -> float:
    """The recursion, cell by cell."""
    n, m = len(x), len(y)
    width = n + m if band is None else max(band, abs(n - m))
    d = np.full((n + 1, m + 1), np.inf)
    d[0, 0] = 0
    for i in range(1, n + 1):
        for j in range(1, m + 1):
            if abs(i - j) <= width:
                cost = sum((a - b) ** 2 for a, b in zip(x[i - 1], y[j - 1], strict=True))
                d[i, j] = cost + min(d[i - 1, j], d[i, j - 1], d[i - 1, j - 1])
    return d[n, m]


def series(D: int):
    def of(length):
        return arrays(np.float64, (length, D), elements=st.floats(-10, 10))

    return st.lists(st.integers(1, 7).flatmap(of), min_size=1, max_size=4)


@settings(deadline=None, derandomize=True, max_examples=80)
@given(data=st.data(), D=st.integers(1, 3), band=st.one_of(st.none(), st.integers(0, 6)))
def test_distances_are_those_of_the_recursion(data, D, band):
    xs, ys = data.draw(series(D)), data.draw(series(D))
    expected = [[slow(x, y, band) for y in ys] for x in xs]
    np.testing.assert_allclose(dtw_distances(xs, ys, band), expected, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(dtw_distances(ys, xs, band).T, expected, rtol=1e-10, atol=1e-10)
    assert np.all(np.diag(dtw_distances(xs, xs, band)) == 0)


def test_many_blocks_are_as_one(monkeypatch):
    draw = np.random.default_rng(0)
    xs = [draw.normal(size=(n, 2)) for n in draw.integers(1, 20, 30)]
    ys = [draw.normal(size=(n, 2)) for n in draw.integers(1, 20, 10)]
    whole = dtw_distances(xs, ys)
    monkeypatch.setattr("seqexp.data.dynamic_time_warping.BLOCK", 400)
    np.testing.assert_array_equal(dtw_distances(xs, ys), whole)


def test_no_band_is_the_least_and_a_band_of_0_the_squared_euclidean_distance():
    draw = np.random.default_rng(1)
    xs, ys = draw.normal(size=(2, 5, 15, 2))
    distances = [dtw_distances(list(xs), list(ys), band) for band in (0, 1, 3, 14, None)]
    np.testing.assert_allclose(distances[0], np.square(xs[:, None] - ys).sum(axis=(2, 3)))
    assert all(np.all(more <= less) for less, more in zip(distances, distances[1:], strict=False))
    assert np.mean(distances[1] > distances[-1]) > 0.5
    np.testing.assert_array_equal(distances[-2], distances[-1])


def test_a_slower_series_is_at_distance_0_and_nearest():
    wave = np.sin(np.arange(20.0))[:, None]
    slowly = np.repeat(wave, 3, axis=0)
    assert dtw_distances([wave], [slowly])[0, 0] == 0
    found = nearest_labels([wave + 0.3, wave, wave], ["shifted", "first", "second"], [slowly])
    assert found.tolist() == ["first"]


@pytest.mark.parametrize(
    "xs, ys, band, said",
    [
        ([], [np.ones((2, 1))], None, "there are none"),
        ([np.ones((2, 1))], [], None, "there are none"),
        ([np.ones((2, 1))], [np.ones((2, 2))], None, "with one D"),
        ([np.ones(2)], [np.ones(2)], None, "with one D"),
        ([np.ones((2, 1))], [np.ones((2, 1)), np.ones((0, 1))], None, "reference 1 is empty"),
        ([np.full((2, 1), np.nan)], [np.ones((2, 1))], None, "query 0 .* holds NaN"),
        ([np.ones((2, 1))], [np.ones((2, 1))], -1, "0 steps or more"),
    ],
)
def test_what_has_no_distance_is_refused(xs, ys, band, said):
    with pytest.raises(SeqexpError, match=said):
        dtw_distances(xs, ys, band)


def test_labels_that_are_too_few_are_refused():
    with pytest.raises(SeqexpError, match="2 training series have 1 labels"):
        nearest_labels([np.ones((1, 1))] * 2, ["a"], [np.ones((1, 1))])


@pytest.mark.parametrize(
    "name, published",
    [
        ("ItalyPowerDemand", 0.950),
        pytest.param("JapaneseVowels", 0.949, marks=pytest.mark.full),
    ],
)
def test_accuracies_are_those_of_the_archives(name, published):
    """1-NN with DTW, no band: timeseriesclassification.com and Bagnall et al. 2018, "The UEA
    multivariate time series classification archive", https://arxiv.org/abs/1811.00075, table 2."""
    from seqexp.data.ts_files import read_ts

    folder = Path(os.environ.get("SEQEXP_DATA_DIR", "unset")) / "tsc"
    if not (folder / f"{name}_TEST.ts").is_file():
        pytest.skip(f"SEQEXP_DATA_DIR names no folder with tsc/{name}_TEST.ts")
    train, test = (read_ts(folder / f"{name}_{split}.ts") for split in ("TRAIN", "TEST"))
    found = nearest_labels(train.series, train.labels, test.series)
    assert abs((found == np.array(test.labels)).mean() - published) < 0.001
