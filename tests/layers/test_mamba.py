"""Mamba against its equations, its published start, and its extremes."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from flax import nnx

from seqexp.layers import Mamba
from seqexp.types import SeqexpError
from tests.references import state_spaces as slow
from tests.variants import drawn, quick_jit

T, B, D, H = 7, 2, 3, 4


def make(in_features=D, features=H, **options):
    return Mamba(in_features, features, rngs=nnx.Rngs(0), **options)


def silu(x):
    return x * slow.sigmoid(x)


def test_outputs_are_those_of_the_equations():
    E, N, R = 6, 5, 2
    options = {"expansion": 1.5, "state": N, "rank": R, "convolution": 3}
    xs = np.random.default_rng(0).normal(size=(T, B, D))
    with jax.enable_x64(True):
        layer = drawn(lambda: make(**options))
        ys = quick_jit(lambda layer, xs: layer.unroll(xs)[0])(layer, xs)
    enter, select, step, step_bias, log, skip, leave = (
        np.asarray(p[...])
        for p in (
            layer.input_kernel,
            layer.selection_kernel,
            layer.step_kernel,
            layer.step_bias,
            layer.recurrent_log,
            layer.skip,
            layer.output_kernel,
        )
    )
    short = layer.convolution
    for row in range(B):
        both = xs[:, row] @ enter
        us = slow.short_convolution(
            both[:, :E], np.asarray(short.kernel[...]), np.asarray(short.bias[...])
        )
        us = silu(us)
        chosen = us @ select
        dts = np.log(1 + np.exp(chosen[:, :R] @ step + step_bias))
        right = slow.selective(
            us, dts, -np.exp(log).T, chosen[:, R : R + N], chosen[:, R + N :], skip
        )
        right = right * silu(both[:, E:]) @ leave
        np.testing.assert_allclose(ys[:, row], right, rtol=0, atol=1e-10)


def test_it_starts_as_published():
    """A = -1 to -N for each unit, and steps log-uniform from 0.001 to 0.1."""
    layer = quick_jit(lambda: make(4, 400, state=3, rank=4))()
    A = -np.exp(np.asarray(layer.recurrent_log[...]))
    np.testing.assert_allclose(A, np.tile([[-1], [-2], [-3]], (1, 800)), rtol=1e-6)
    step = np.log1p(np.exp(np.asarray(layer.step_bias[...], np.float64)))
    assert 0.000999 <= step.min() and step.max() <= 0.1001
    share = np.log(step / 0.001) / np.log(100)
    np.testing.assert_allclose(np.quantile(share, [0.1, 0.5, 0.9]), [0.1, 0.5, 0.9], atol=0.07)
    np.testing.assert_array_equal(layer.skip[...], 1)
    assert np.abs(layer.step_kernel[...]).max() <= 0.5


def test_parameters_are_counted_by_hand():
    E, N, R = 2 * 33, 16, 3
    found = jax.eval_shape(lambda: make(5, 33))
    right = 5 * 2 * E + 5 * E + E * (R + 2 * N) + R * E + E + N * E + E + E * 33
    assert sum(leaf.size for leaf in jax.tree.leaves(found)) == right


@pytest.mark.parametrize(
    "options, message",
    [
        ({"expansion": 0}, "expansion must be a number above 0, not 0"),
        ({"state": 0}, "state must be a whole number of at least 1, not 0"),
        ({"rank": 1.5}, "rank must be a whole number of at least 1, not 1.5"),
        ({"convolution": 0}, "convolution must be a whole number of at least 1, not 0"),
        ({"dt_min": 0}, "steps need 0 < dt_min <= dt_max"),
    ],
)
def test_impossible_options_are_refused(options, message):
    with pytest.raises(SeqexpError, match=message):
        jax.eval_shape(lambda: make(**options))
