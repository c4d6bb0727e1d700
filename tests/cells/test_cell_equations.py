"""The cells against their papers' equations, written out again in numpy, gate by gate."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from seqexp.cells import GRU, LSTM, Elman
from seqexp.cells.lstm import LSTMCarry
from tests import variants
from tests.variants import OPTIONS, drawn, quick_jit

D, H, STEPS = 3, 4, 6


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def parameters_of(cell):
    return {name: p[...] for name, p in vars(cell).items() if isinstance(p, nnx.Param)}


@quick_jit
def unroll(cell, xs, carry=None):
    return variants.unroll(cell, xs, carry=carry)


def inputs():
    return np.random.default_rng(1).normal(size=(1, STEPS, D))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def layer_norm(x):
    return (x - x.mean()) / np.sqrt(x.var() + 1e-5)


def blocks(parameters, gates):
    """W, U and b of each gate."""
    split = {}
    for index, gate in enumerate(gates):
        columns = slice(index * H, (index + 1) * H)
        split[gate] = (
            parameters["input_kernel"][:, columns],
            parameters["recurrent_kernel"][:, columns],
            parameters["bias"][columns],
        )
    return split


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_elman_is_its_equation(activation):
    cell = drawn(lambda: Elman(D, H, activation=activation, rngs=nnx.Rngs(0)))
    p = parameters_of(cell)
    f = np.tanh if activation == "tanh" else lambda x: np.maximum(x, 0)
    h, expected = np.zeros(H), []
    for x in inputs()[0]:
        h = f(x @ p["input_kernel"] + h @ p["recurrent_kernel"] + p["bias"])
        expected.append(h)
    ys, carry = unroll(cell, inputs())
    np.testing.assert_allclose(ys[0], expected, rtol=1e-12)
    np.testing.assert_allclose(carry.h[0], h, rtol=1e-12)


@pytest.mark.parametrize("reset", ["before", "after"])
def test_gru_is_its_equations(reset):
    cell = drawn(lambda: GRU(D, H, reset=reset, rngs=nnx.Rngs(0)))
    p = parameters_of(cell)
    gates = blocks(p, "rzn")
    h, expected = np.zeros(H), []
    for x in inputs()[0]:
        r, z = (sigmoid(x @ W + h @ U + b) for W, U, b in (gates["r"], gates["z"]))
        W, U, b = gates["n"]
        if reset == "before":
            n = np.tanh(x @ W + (r * h) @ U + b)
        else:
            n = np.tanh(x @ W + r * (h @ U + p["reset_bias"]) + b)
        h = z * h + (1 - z) * n
        expected.append(h)
    ys, _ = unroll(cell, inputs())
    np.testing.assert_allclose(ys[0], expected, rtol=1e-11)


@pytest.mark.parametrize("options", [{}, *OPTIONS["LSTM"]], ids=str)
def test_lstm_is_its_equations(options):
    cell = drawn(lambda: LSTM(D, H, **options, rngs=nnx.Rngs(0)))
    p = parameters_of(cell)
    coupled, norm = options.get("coupled", False), options.get("layer_norm", False)
    names = "igo" if coupled else "ifgo"
    R = p.get("projection", np.eye(H))
    c, h, expected = np.zeros(H), np.zeros(R.shape[1]), []
    peephole = dict(zip(names.replace("g", ""), p.get("peephole", np.zeros((3, H))), strict=False))
    for x in inputs()[0]:
        by_input, by_hidden = x @ p["input_kernel"], h @ p["recurrent_kernel"]
        if norm:
            by_input = layer_norm(by_input) * p["scale_input"]
            by_hidden = layer_norm(by_hidden) * p["scale_recurrent"]
        pre = dict(zip(names, np.split(by_input + by_hidden + p["bias"], len(names)), strict=True))
        i = sigmoid(pre["i"] + peephole["i"] * c)
        f = 1 - i if coupled else sigmoid(pre["f"] + peephole["f"] * c)
        c = f * c + i * np.tanh(pre["g"])
        o = sigmoid(pre["o"] + peephole["o"] * c)
        read = layer_norm(c) * p["scale_memory"] + p["shift_memory"] if norm else c
        h = (o * np.tanh(read)) @ R
        expected.append(h)
    ys, carry = unroll(cell, inputs())
    np.testing.assert_allclose(ys[0], expected, rtol=1e-10)
    np.testing.assert_allclose(carry.c[0], c, rtol=1e-10)
    np.testing.assert_allclose(carry.h[0], h, rtol=1e-10)


def one_unit(**values):
    cell = drawn(lambda: LSTM(1, 1, rngs=nnx.Rngs(0)))
    for name, value in values.items():
        getattr(cell, name)[...] = np.array(value)
    return cell


def test_one_unit_lstm_by_hand():
    """x = 1 twice, W = U = (1, 2, 3, 4), b = (0, 1, 0, 0)."""
    weights = [[1.0, 2.0, 3.0, 4.0]]
    cell = one_unit(input_kernel=weights, recurrent_kernel=weights, bias=[0.0, 1.0, 0.0, 0.0])
    ys, _ = unroll(cell, np.ones((1, 2, 1)))
    c1 = sigmoid(1) * math.tanh(3)
    h1 = sigmoid(4) * math.tanh(c1)
    c2 = sigmoid(2 + 2 * h1 + 1) * c1 + sigmoid(1 + h1) * math.tanh(3 + 3 * h1)
    h2 = sigmoid(4 + 4 * h1) * math.tanh(c2)
    np.testing.assert_allclose(ys[0, :, 0], [h1, h2], rtol=1e-12)


@pytest.mark.parametrize("forget, kept", [(100.0, 0.7), (-100.0, 0.0)])
def test_saturated_gates_hold_the_memory_or_let_it_go(forget, kept):
    still = [[0.0] * 4]
    bias = [-100.0, forget, 0.0, 100.0]
    cell = one_unit(input_kernel=still, recurrent_kernel=still, bias=bias)
    carry = LSTMCarry(c=jnp.full((1, 1), 0.7), h=jnp.ones((1, 1)))
    ys, final = unroll(cell, np.ones((1, 50, 1)), carry)
    np.testing.assert_allclose(final.c, [[kept]], atol=1e-12)
    np.testing.assert_allclose(ys[0, -1], [math.tanh(kept)], atol=1e-12)
