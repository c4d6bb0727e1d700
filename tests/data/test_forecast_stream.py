"""Windows that are gathered by index are those of a loop over the series."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqexp.data.forecast_stream import (
    CutForecasts,
    CutNextValues,
    Series,
    forecast_split,
    forecast_stream,
)
from seqexp.data.forecast_windows import window_starts

T, L, H = 19, 4, 3
RNG = np.random.default_rng(0)
INPUTS = RNG.normal(size=(T, 3)).astype(np.float32)
SERIES = Series(INPUTS, INPUTS[:, :2].copy())
STARTS = window_starts(0, T, L, H)


@pytest.mark.parametrize("center", ["none", "last", "mean"])
def test_windows_by_a_loop(center):
    cut = CutForecasts(L, H, center, centered=2)
    split = forecast_split(SERIES, STARTS, L, cut)
    assert len(STARTS) == T - L - H + 1
    for n, s in enumerate(STARTS):
        past, future = INPUTS[s : s + L].copy(), SERIES.targets[s + L : s + L + H]
        middle = {"none": np.zeros(2), "last": past[-1, :2].copy(), "mean": past[:, :2].mean(0)}[
            center
        ]
        past[:, :2] -= middle
        np.testing.assert_allclose(split.inputs.values[n], past, atol=1e-6)
        np.testing.assert_allclose(split.targets[n], (future - middle).reshape(-1), atol=1e-6)


def test_next_values_by_a_loop():
    split = forecast_split(SERIES, STARTS, L + H - 1, CutNextValues(L + H - 1))
    for n, s in enumerate(STARTS):
        np.testing.assert_array_equal(split.inputs.values[n], INPUTS[s : s + L + H - 1])
        np.testing.assert_array_equal(split.targets[n], SERIES.targets[s + 1 : s + L + H])


def test_an_epoch_holds_each_window_once():
    cut = CutForecasts(L, H, "last", centered=3)
    stream = forecast_stream(SERIES, STARTS, L, cut)
    whole = forecast_split(SERIES, STARTS, L, cut)
    B = 3
    (bucket,) = stream.buckets(B)
    assert bucket == (B, L)
    key, steps = jax.random.key(0), stream.steps_per_epoch(B)
    assert steps * B == len(STARTS) - len(STARTS) % B
    plan = stream.plan(key, jnp.int32(0), steps, B)
    batch = jax.jit(lambda stream, step: stream.batch(plan, key, step, bucket))
    found = [batch(stream, jnp.int32(step)) for step in range(steps)]
    inputs = np.concatenate([np.asarray(each.inputs.values) for each in found])
    targets = np.concatenate([np.asarray(each.targets) for each in found])
    places = [int(np.abs(whole.inputs.values - own).sum((1, 2)).argmin()) for own in inputs]
    assert len(set(places)) == len(places)
    np.testing.assert_allclose(inputs, np.asarray(whole.inputs.values)[places], atol=1e-6)
    np.testing.assert_allclose(targets, whole.targets[places], atol=1e-6)
    (every,) = stream.all_examples()
    np.testing.assert_allclose(every.targets, whole.targets, atol=1e-6)
