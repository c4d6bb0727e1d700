"""Standardization by statistics of the training split."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from seqexp.data.standardize import statistics
from seqexp.types import SeqexpError


@settings(deadline=None, derandomize=True, max_examples=50)
@given(
    values=arrays(np.float64, (3, 5, 2), elements=st.floats(-100, 100)),
    lengths=st.tuples(st.integers(1, 5), st.integers(0, 5), st.integers(0, 5)),
)
def test_only_true_steps_count(values, lengths):
    """Against the steps written one behind the other; NaN stands at padding."""
    steps = np.concatenate([row[:n] for row, n in zip(values, lengths, strict=True)])
    mask = np.arange(5) < np.array(lengths)[:, None]
    found = statistics(np.where(mask[..., None], values, np.nan), np.array(lengths))
    np.testing.assert_allclose(found.mean, steps.mean(axis=0), atol=1e-9)
    constant = steps.std(axis=0) < np.finfo(np.float32).tiny
    constant |= steps.min(axis=0) == steps.max(axis=0)
    np.testing.assert_allclose(found.std, np.where(constant, 1, steps.std(axis=0)), atol=1e-9)
    standard = found.standardize(np.where(mask[..., None], values, np.nan), mask)
    np.testing.assert_array_equal(standard[~mask], 0)
    np.testing.assert_allclose(standard[mask][:, constant], 0, atol=1e-36)
    back = found.restore(standard[mask])
    np.testing.assert_allclose(back, steps, rtol=1e-9, atol=1e-9)


def test_missing_values_do_not_count_and_stay_missing():
    values = np.array([[1.0, np.nan], [np.nan, 4.0], [3.0, 6.0]], np.float32)
    found = statistics(values)
    np.testing.assert_array_equal(found.mean, [2, 5])
    np.testing.assert_array_equal(found.std, [1, 1])
    standard = found.standardize(values)
    assert standard.dtype == np.float32
    np.testing.assert_array_equal(standard, [[-1, np.nan], [np.nan, -1], [1, 1]])


def test_a_constant_that_no_float_hits_becomes_0():
    values = np.full((1000, 1), 0.1)
    np.testing.assert_array_equal(statistics(values).standardize(values), 0)
    narrow = values.astype(np.float32)
    np.testing.assert_array_equal(statistics(narrow).standardize(jnp.asarray(narrow)), 0)


def test_traced_values_come_out_the_same():
    values = np.random.default_rng(0).normal(5, 3, (2, 4, 3)).astype(np.float32)
    found, mask = statistics(values), np.arange(4) < np.array([[4], [2]])
    np.testing.assert_allclose(
        jax.jit(found.standardize)(values, mask), found.standardize(values, mask), atol=1e-6
    )


@pytest.mark.parametrize("wrong, said", [(np.nan, "feature 1 has no values"), (np.inf, "infinite")])
def test_what_has_no_statistics_is_refused(wrong, said):
    with pytest.raises(SeqexpError, match=said):
        statistics(np.array([[1.0, wrong], [2.0, wrong]]))
