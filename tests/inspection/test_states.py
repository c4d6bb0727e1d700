"""Figures of states and gates against arrays whose figures are known."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqexp import inspection
from seqexp.cells.protocol import SIGMOID, TANH, Activation
from seqexp.inspection import saturated_units, unit_order
from seqexp.types import SeqexpError
from tests.variants import quick_jit

at_bounds = quick_jit(inspection.at_bounds, static_argnums=(2, 3), static_argnames="margin")
dead_units = quick_jit(inspection.dead_units)
effective_rank = quick_jit(inspection.effective_rank)
explained_variance = quick_jit(inspection.explained_variance)
fit_components = quick_jit(inspection.fit_components, static_argnums=2)
histogram_over_time = quick_jit(inspection.histogram_over_time, static_argnums=(2, 3, 4))
participation_ratio = quick_jit(inspection.participation_ratio)
project = quick_jit(inspection.project)
state_spectrum = quick_jit(inspection.state_spectrum)
time_constants = quick_jit(inspection.time_constants)

B, T = 3, 40
MASK = np.arange(T) < np.array([[40], [11], [25]])


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def with_spectrum(values):
    """States whose covariance over the true steps has these eigenvalues, and NaN at padding."""
    rng = np.random.default_rng(0)
    n, units = int(MASK.sum()), len(values)
    rows = rng.normal(size=(n, units))
    rows, _ = np.linalg.qr(rows - rows.mean(0))
    rotation, _ = np.linalg.qr(rng.normal(size=(units, units)))
    states = np.full((B, T, units), np.nan)
    states[MASK] = 5 + rows * np.sqrt(n * np.asarray(values)) @ rotation.T
    return states, rotation


@settings(deadline=None, derandomize=True, max_examples=10)
@given(st.lists(st.floats(0.01, 100), min_size=5, max_size=5))
def test_the_spectrum_is_that_of_the_covariance(variances):
    states, _ = with_spectrum(variances)
    found = state_spectrum(jnp.array(states), jnp.array(MASK))
    singular = np.sqrt(np.sort(variances)[::-1])
    np.testing.assert_allclose(found, singular, rtol=1e-8)
    p = singular / singular.sum()
    assert float(effective_rank(found)) == pytest.approx(np.exp(-np.sum(p * np.log(p))), rel=1e-8)
    ratio = np.sum(variances) ** 2 / np.sum(np.square(variances))
    assert float(participation_ratio(found)) == pytest.approx(ratio, rel=1e-8)


def test_a_line_has_one_dimension_and_a_point_none():
    line = np.arange(T)[None, :, None] * np.ones(64) + np.zeros((B, 1, 1))
    with jax.enable_x64(False):
        found = state_spectrum(jnp.asarray(line, jnp.float32), jnp.array(MASK))
        assert float(effective_rank(found)) == pytest.approx(1, abs=2e-3)
    nothing = state_spectrum(jnp.ones((B, T, 4)), jnp.array(MASK))
    assert float(effective_rank(nothing)) == float(participation_ratio(nothing)) == 0


def test_components_are_the_axes_of_the_largest_variance():
    states, rotation = with_spectrum([9, 4, 1, 0.25])
    found = fit_components(jnp.array(states), jnp.array(MASK), 2)
    np.testing.assert_allclose(found.explained, np.array([9, 4]) / 14.25, rtol=1e-10)
    for k in range(2):
        axis = rotation[:, k] * np.sign(rotation[:, k][np.abs(rotation[:, k]).argmax()])
        np.testing.assert_allclose(found.axes[k], axis, atol=1e-8)
    along = np.asarray(project(found, jnp.array(states), jnp.array(MASK)))
    np.testing.assert_allclose(along[MASK].var(0), [9, 4], rtol=1e-10)
    assert not along[~MASK].any()


def test_shared_axes_explain_less_of_other_states():
    states, rotation = with_spectrum([9, 4, 1, 0.25])
    found = fit_components(jnp.array(states), jnp.array(MASK), 2)
    turned = states @ rotation[:, [1, 2, 0, 3]] @ rotation.T
    share = explained_variance(found, jnp.array(turned), jnp.array(MASK))
    np.testing.assert_allclose(share, np.array([4, 1]) / 14.25, rtol=1e-8)
    with pytest.raises(SeqexpError, match="4 units have from 1 to 4 components, not 5"):
        fit_components(jnp.array(states), jnp.array(MASK), 5)


def test_saturation_counts_true_steps_at_each_bound():
    values = np.full((B, T, 4), np.nan)
    values[MASK] = [0.01, 0.96, 0.5, 0.5]
    values[0, :19, 2], values[0, 19:38, 2] = 0.05, 0.95  # 38 of 76, half at each bound
    shares = at_bounds(jnp.array(values), jnp.array(MASK), SIGMOID)
    np.testing.assert_allclose(shares.low, [1, 0, 0.25, 0], rtol=1e-6)
    np.testing.assert_allclose(shares.high, [0, 1, 0.25, 0], rtol=1e-6)
    assert saturated_units(shares).tolist() == [True, True, False, False]
    assert saturated_units(shares, most=0.5).tolist() == [True, True, True, False]
    unbounded = at_bounds(jnp.array(values), jnp.array(MASK), Activation(0, math.inf))
    assert unbounded.high.tolist() == [0] * 4 and float(unbounded.low[0]) == 1
    with pytest.raises(SeqexpError, match="margin must be"):
        at_bounds(jnp.array(values), jnp.array(MASK), TANH, margin=1.0)


def test_dead_units_hardly_vary():
    states = np.full((B, T, 4), np.nan)
    steps = np.resize([-1.0, 1.0], MASK.sum())
    states[MASK] = steps[:, None] * [2, 1, 0.01, 0] + [0, 1, 7, 3]
    assert dead_units(jnp.array(states), jnp.array(MASK)).tolist() == [False, False, True, True]
    assert dead_units(jnp.zeros((B, T, 2)), jnp.array(MASK)).tolist() == [True, True]


def test_a_histogram_is_of_each_step():
    values = np.full((B, T, 2), np.nan)
    values[MASK] = [-1, 0.3]
    found = np.asarray(histogram_over_time(jnp.array(values), jnp.array(MASK), -1, 1, 4))
    np.testing.assert_allclose(found, np.tile([0.5, 0, 0.5, 0], (T, 1)), rtol=1e-6)
    ended = histogram_over_time(jnp.array(values[1:2]), jnp.array(MASK[1:2]), -1, 1, 4)
    assert np.asarray(ended).sum(1).tolist() == [1] * 11 + [0] * 29
    with pytest.raises(SeqexpError, match="finite range"):
        histogram_over_time(jnp.array(values), jnp.array(MASK), 0, math.inf)


def test_a_memory_falls_to_one_e_th_in_its_time_constant():
    keep = np.full((B, T, 3), np.nan)
    keep[MASK] = [np.exp(-1 / 7), 1.0, 0.0]
    tau = time_constants(jnp.array(keep), jnp.array(MASK))
    np.testing.assert_allclose(tau, [7, np.inf, 0], rtol=1e-10)


def test_units_that_go_together_stand_together():
    rng = np.random.default_rng(0)
    groups = rng.normal(size=(B, T, 3))
    place = rng.permutation(np.repeat([0, 1, 2, 3], 5))
    signals = np.concatenate([groups, np.full((B, T, 1), 0.7)], -1)
    noise = 0.1 * rng.normal(size=(B, T, 20)) * (place < 3)
    order = unit_order(signals[..., place] + noise, MASK)
    assert sorted(order.tolist()) == list(range(20))
    changes = np.count_nonzero(np.diff(place[order]))
    # Those that don't vary are as far from each other as from all others, so only groups count.
    moving = [group for group in place[order] if group < 3]
    assert np.count_nonzero(np.diff(moving)) == 2 and changes >= 3
    assert unit_order(groups[..., :1], MASK).tolist() == [0]
    with pytest.raises(SeqexpError, match="finite states"):
        unit_order(np.full((B, T, 3), np.nan), MASK)
