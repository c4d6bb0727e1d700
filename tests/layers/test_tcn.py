"""The temporal convolutional network against its equations, and convolutions against theirs."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pytest
from flax import nnx

from seqexp.layers import TCN, CausalConvolution
from seqexp.types import SeqexpError
from tests.references.tcn import convolution, tcn
from tests.variants import drawn, quick_jit

T, B, D, H = 9, 2, 3, 4


def make(in_features=D, **options):
    rngs = nnx.Rngs(0)
    return TCN(in_features, H, rngs=rngs, **{"levels": 2, "width": 3, "dropout": 0.0, **options})


@quick_jit
def unroll(layer, xs):
    return layer.unroll(xs)[0]


@pytest.mark.parametrize("in_features", [D, H], ids=["projected", "same width"])
def test_outputs_are_those_of_the_equations(in_features):
    xs = np.random.default_rng(0).normal(size=(T, B, in_features))
    with jax.enable_x64(True):
        made = drawn(lambda: make(in_features))
        ys = unroll(made, xs)
    directions, scales, biases = (
        [np.asarray(part[...]) for part in parts]
        for parts in (made.directions, made.scales, made.biases)
    )
    project = made.project
    for row in range(B):
        right = tcn(
            xs[:, row],
            directions,
            scales,
            biases,
            None if project is None else lambda x: x @ project.kernel[...] + project.bias[...],
        )
        np.testing.assert_allclose(ys[:, row], right, atol=1e-10)


def test_a_convolution_is_the_sum_of_its_equation():
    xs = np.random.default_rng(0).normal(size=(T, B, D))
    with jax.enable_x64(True):
        full = drawn(lambda: CausalConvolution(D, H, width=3, dilation=2, rngs=nnx.Rngs(0)))
        depthwise = drawn(
            lambda: CausalConvolution(D, D, width=3, depthwise=True, rngs=nnx.Rngs(0))
        )
        ys = unroll(full, xs), unroll(depthwise, xs)
    own = np.asarray(depthwise.kernel[...])[:, :, None] * np.eye(D)
    for row in range(B):
        right = convolution(xs[:, row], np.asarray(full.kernel[...]), 2) + full.bias[...]
        np.testing.assert_allclose(ys[0][:, row], right, atol=1e-12)
        right = convolution(xs[:, row], own, 1) + depthwise.bias[...]
        np.testing.assert_allclose(ys[1][:, row], right, atol=1e-12)


def test_it_sees_as_far_as_it_says_and_no_farther():
    made = drawn(lambda: make(levels=2, width=2), np.float32)
    made = jax.tree.map(abs, made)  # No rectifier is closed.
    assert made.receptive_field == 7
    xs = np.ones((T, 1, D), np.float32)
    slope = jax.grad(lambda xs: made.unroll(xs)[0][-1].sum())(xs)
    reached = np.any(np.asarray(slope) != 0, axis=(1, 2))
    assert reached.tolist() == [False] * (T - 7) + [True] * 7


def test_weights_start_as_published():
    """As torch starts its convolutions: the authors' own start is overwritten by the norm."""
    made: Any = TCN(36, 64, levels=2, width=5, dropout=0.0, rngs=nnx.Rngs(0))
    bounds = [180**-0.5] + [320**-0.5] * 3
    for direction, scale, bias, bound in zip(
        made.directions, made.scales, made.biases, bounds, strict=True
    ):
        v = np.asarray(direction[...])
        np.testing.assert_allclose(v.std(), bound / 3**0.5, rtol=0.02)
        assert 0.99 * bound < np.abs(v).max() <= bound
        np.testing.assert_allclose(scale[...], np.sqrt((v**2).sum((0, 1))), rtol=1e-5)
        assert 0.8 * bound < np.abs(bias[...]).max() <= bound
    np.testing.assert_allclose(np.std(made.project.kernel[...]), 0.01, rtol=0.05)
    assert 0.8 / 6 < np.abs(made.project.bias[...]).max() <= 1 / 6


def test_parameters_are_counted_by_hand():
    found = sum(leaf.size for leaf in jax.tree.leaves(jax.eval_shape(make)))
    assert found == 3 * H * (D + 3 * H) + 4 * 2 * H + (D + 1) * H


@pytest.mark.parametrize(
    "options, message",
    [
        ({"levels": 0}, "levels must be a whole number of at least 1, not 0"),
        ({"levels": 21}, "levels must be at most 20"),
        ({"width": 2.0}, "width must be a whole number of at least 1, not 2.0"),
        ({"dropout": 1}, "dropout must be at least 0 and below 1, not 1"),
    ],
)
def test_impossible_options_are_refused(options, message):
    with pytest.raises(SeqexpError, match=message):
        make(**options)


def test_a_depthwise_convolution_keeps_the_width():
    with pytest.raises(SeqexpError, match="a depthwise convolution keeps the width, 3"):
        CausalConvolution(3, 4, width=2, depthwise=True, rngs=nnx.Rngs(0))
