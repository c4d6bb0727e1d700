"""minGRU and minLSTM against their equations, and at their extremes."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pytest
from flax import nnx

from seqexp.cells.protocol import activation_kinds, activations
from seqexp.layers import MinGRU, MinLSTM
from seqexp.types import SeqexpError
from tests.full import full
from tests.references.minimal import g, min_gru, min_lstm
from tests.variants import drawn, quick_jit

T, B, D, H = 7, 2, 3, 4
KINDS = {"gru": (MinGRU, min_gru, 2), "lstm": (MinLSTM, min_lstm, 3)}

kinds = pytest.mark.parametrize("name", KINDS)


@quick_jit
def unroll(layer, xs):
    return layer.unroll(xs)[0]


@pytest.mark.parametrize("candidate", ["positive", full("linear")])
@kinds
def test_outputs_are_those_of_the_equations(name, candidate):
    kind, reference, gates = KINDS[name]
    xs = np.random.default_rng(0).normal(size=(T, B, D))
    with jax.enable_x64(True):
        layer = drawn(lambda: kind(D, H, candidate=candidate, rngs=nnx.Rngs(0)))
        ys = unroll(layer, xs)
    kernels = np.split(np.asarray(layer.kernel[...]), gates, axis=1)
    biases = np.split(np.asarray(layer.bias[...]), gates)
    pairs = [part for pair in zip(kernels, biases, strict=True) for part in pair]
    for row in range(B):
        right = reference(xs[:, row], *pairs, candidate == "positive")
        np.testing.assert_allclose(ys[:, row], right, rtol=0, atol=1e-10)


@kinds
@pytest.mark.parametrize("candidate", ["positive", "linear"])
def test_the_step_is_made_of_what_is_shown(name, candidate):
    layer = drawn(lambda: KINDS[name][0](D, H, candidate=candidate, rngs=nnx.Rngs(0)), np.float32)
    rng = np.random.default_rng(0)
    carry = layer.initial_carry(B, 1)._replace(h=rng.normal(size=(B, H)).astype(np.float32))
    x: Any = rng.normal(size=(B, D)).astype(np.float32)
    shown, shown_kinds = activations(layer, carry, x), activation_kinds(layer)
    h = shown["forget"] * carry.h + shown["input"] * shown["candidate"]
    np.testing.assert_allclose(layer.step(carry, x)[1], h, rtol=1e-6)
    np.testing.assert_allclose(shown["forget"] + shown["input"], 1, rtol=1e-6)
    assert [each for each, kind in shown_kinds.items() if kind.keeps] == ["forget"]
    for each, values in shown.items():
        assert np.all((values >= shown_kinds[each].low) & (values <= shown_kinds[each].high))


def constant(kind, bias, **options):
    """A unit of one number that reads nothing: its gates are those of the bias."""
    layer = drawn(lambda: kind(1, 1, **options, rngs=nnx.Rngs(0)), np.float32)
    layer.kernel[...] = np.zeros(layer.kernel.shape, np.float32)
    layer.bias[...] = np.array(bias, np.float32)
    return layer


def test_a_min_lstm_whose_gates_are_both_closed_shares_what_it_had():
    """Where both gates underflow their shares are still those of their ratio, e^-1 to 1."""
    layer = constant(MinLSTM, [-201.0, -200.0, 0.0])
    carry = layer.initial_carry(1, 1)._replace(h=np.full((1, 1), 3.0, np.float32))
    share = np.exp(-1) / (1 + np.exp(-1))
    _, y = layer.step(carry, np.ones((1, 1), np.float32))
    np.testing.assert_allclose(y, [[share * 3 + (1 - share) * 0.5]], rtol=1e-5)


def test_forget_bias_is_that_of_the_forget_gate():
    layer = quick_jit(lambda: MinLSTM(D, H, forget_bias=1.5, rngs=nnx.Rngs(0)))()
    bias = layer.bias[...]
    np.testing.assert_array_equal(bias, [1.5] * H + [0] * 2 * H)


@kinds
def test_parameters_are_counted_by_hand(name):
    kind, _, gates = KINDS[name]
    made = jax.eval_shape(lambda: kind(D, H, rngs=nnx.Rngs(0)))
    assert sum(leaf.size for leaf in jax.tree.leaves(made)) == gates * (D + 1) * H


def test_the_candidate_is_positive_and_continuous():
    xs = np.array([-30.0, -1.0, -1e-6, 0.0, 1e-6, 2.0])
    assert np.all(g(xs) >= 0) and abs(g(xs)[2] - g(xs)[4]) < 2e-6
    layer = constant(MinGRU, [100.0, 0.0])
    for x in (-3.0, 0.0, 2.0):
        layer.bias[...] = np.array([100.0, x], np.float32)
        _, y = layer.step(layer.initial_carry(1, 1), np.ones((1, 1), np.float32))
        np.testing.assert_allclose(y[0], g([x]), rtol=1e-6)


@kinds
def test_impossible_options_are_refused(name):
    kind, _, _ = KINDS[name]
    with pytest.raises(SeqexpError, match="unknown candidate 'tanh': use positive or linear"):
        kind(D, H, candidate="tanh", rngs=nnx.Rngs(0))
    with pytest.raises(SeqexpError, match="features must be a whole number of at least 1"):
        kind(D, 0, rngs=nnx.Rngs(0))
