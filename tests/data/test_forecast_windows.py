"""Windows of a long series, by the loop of the papers; and missing values in it."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from seqexp.data.forecast_windows import ETT_HOURS, cut_windows, window_starts
from seqexp.data.missing import fill_missing, with_mask_channels
from seqexp.types import SeqexpError


@settings(deadline=None, derandomize=True, max_examples=100)
@given(
    first=st.integers(0, 15),
    rows=st.integers(1, 20),
    length=st.integers(1, 8),
    horizon=st.integers(1, 6),
    stride=st.integers(1, 4),
)
def test_windows_are_those_whose_targets_lie_in_the_split(first, rows, length, horizon, stride):
    last = first + rows
    every = [s for s in range(last) if s + length >= first and s + length + horizon <= last][
        ::stride
    ]
    if not every:
        with pytest.raises(SeqexpError, match="no window of"):
            window_starts(first, last, length, horizon, stride)
        return
    starts = window_starts(first, last, length, horizon, stride)
    assert starts.tolist() == every
    values = np.random.default_rng(0).normal(size=(last, 2))
    inputs, targets = cut_windows(values, starts, length, horizon)
    for s, past, future in zip(every, inputs, targets, strict=True):
        np.testing.assert_array_equal(past, values[s : s + length])
        np.testing.assert_array_equal(future, values[s + length : s + length + horizon])


@pytest.mark.parametrize("length, horizon", [(96, 96), (336, 192), (336, 720)])
def test_the_counts_of_the_papers(length, horizon):
    """Informer's borders: rows from 0, 8640 - L and 11520 - L to 8640, 11520 and 14400."""
    for split, (begin, end) in {
        "train": (0, 8640),
        "valid": (8640 - length, 11_520),
        "test": (11_520 - length, 14_400),
    }.items():
        starts = window_starts(*ETT_HOURS[split], length, horizon)
        assert len(starts) == end - begin - length - horizon + 1
        assert starts[0] == begin and starts[-1] + length + horizon == end


def test_traced_windows_are_the_same():
    values = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    starts = window_starts(10, 20, 4, 3)
    found = jax.jit(cut_windows, static_argnums=(2, 3))(values, starts, 4, 3)
    for one, other in zip(found, cut_windows(values, starts, 4, 3), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("numbers", [(-1, 9, 1, 1), (0, 9, 0, 1), (0, 9, 1, 0), (0, 9, 1, 1, 0)])
def test_numbers_out_of_range_are_refused(numbers):
    with pytest.raises(SeqexpError, match="windows need"):
        window_starts(*numbers)


@settings(deadline=None, derandomize=True, max_examples=80)
@given(
    values=arrays(
        np.float64,
        st.tuples(st.integers(1, 2), st.integers(1, 6), st.integers(1, 3)),
        elements=st.one_of(st.just(np.nan), st.floats(-9, 9)),
    )
)
def test_missing_values_become_the_last_before_them(values):
    """Against a walk along each series; also of one series alone."""
    filled = fill_missing(values, initial=99.0)
    for row, found in zip(values, filled, strict=True):
        for d in range(row.shape[1]):
            last = 99.0
            for t in range(row.shape[0]):
                last = last if np.isnan(row[t, d]) else row[t, d]
                assert found[t, d] == last
        np.testing.assert_array_equal(fill_missing(row, initial=99.0), found)
    both = with_mask_channels(filled, ~np.isnan(values))
    D = values.shape[-1]
    np.testing.assert_array_equal(both[..., :D], filled)
    np.testing.assert_array_equal(both[..., D:], ~np.isnan(values))


def test_each_feature_may_begin_with_its_own_value_and_keeps_its_dtype():
    filled = fill_missing(np.full((2, 2), np.nan, np.float32), np.array([1.0, 2.0]))
    assert filled.dtype == np.float32
    np.testing.assert_array_equal(filled, [[1, 2], [1, 2]])
