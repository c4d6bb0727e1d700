"""The activations that cells show against the papers' equations, and against their own step."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from seqexp.cells import GRU, LSTM, Elman
from seqexp.cells.protocol import Observable, activation_kinds, activations
from seqexp.layers import Recurrent
from tests.variants import bare_cells, drawn, everything, quick_jit

D, H, B = 3, 4, 2


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


@quick_jit
def observed(cell, carry, x):
    return activations(cell, carry, x), cell.step(carry, x)


def state(cell):
    rng = np.random.default_rng(3)
    form = jax.eval_shape(lambda: cell.initial_carry(B))
    carry = jax.tree.map(lambda leaf: rng.normal(size=leaf.shape), form)
    return carry, rng.normal(size=(B, D))


def observable(cell):
    return isinstance(cell, Observable)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def pre(cell, carry, x):
    """x W + h U + b, one block a gate."""
    whole = x @ cell.input_kernel[...] + carry.h @ cell.recurrent_kernel[...] + cell.bias[...]
    return np.split(np.asarray(whole), whole.shape[-1] // H, axis=-1)


def test_lstm_shows_its_gates():
    cell = drawn(lambda: LSTM(D, H, rngs=nnx.Rngs(0)))
    carry, x = state(cell)
    i, f, g, o = pre(cell, carry, x)
    shown, _ = observed(cell, carry, x)
    c = sigmoid(f) * carry.c + sigmoid(i) * np.tanh(g)
    expected = {"input": sigmoid(i), "forget": sigmoid(f), "output": sigmoid(o)}
    expected |= {"candidate": np.tanh(g), "memory": np.tanh(c)}
    for name, values in expected.items():
        np.testing.assert_allclose(shown[name], values, rtol=1e-12)


def test_gru_shows_its_gates():
    cell = drawn(lambda: GRU(D, H, reset="before", rngs=nnx.Rngs(0)))
    carry, x = state(cell)
    r, z, _ = map(sigmoid, pre(cell, carry, x))
    w, u, b = (
        np.asarray(p)[..., 2 * H :] for p in (cell.input_kernel, cell.recurrent_kernel, cell.bias)
    )
    shown, _ = observed(cell, carry, x)
    expected = {"reset": r, "update": z, "candidate": np.tanh(x @ w + (r * carry.h) @ u + b)}
    for name, values in expected.items():
        np.testing.assert_allclose(shown[name], values, rtol=1e-12)


@pytest.mark.parametrize("name", list(bare_cells()))
def test_the_step_is_made_of_what_is_shown(name):
    cell: Any = drawn(bare_cells()[name])
    carry, x = state(cell)
    shown, (new, _) = observed(cell, carry, x)
    kinds = activation_kinds(cell)
    assert observable(cell) and set(kinds) == set(shown)
    for each, values in shown.items():
        assert np.all((values >= kinds[each].low) & (values <= kinds[each].high))
    if "forget" in shown:
        c = shown["forget"] * carry.c + shown["input"] * shown["candidate"]
        np.testing.assert_allclose(c, new.c, rtol=1e-12)
        h = shown["output"] * shown["memory"]
        h = h if cell.projection is None else h @ cell.projection[...]
    elif "update" in shown:
        h = shown["update"] * carry.h + (1 - shown["update"]) * shown["candidate"]
    else:
        h = shown["hidden"]
    np.testing.assert_allclose(h, new.h, rtol=1e-12)


def test_one_activation_keeps_the_state_of_each_gated_cell():
    found = {}
    for kind in (Elman, LSTM, GRU):
        kinds = activation_kinds(jax.eval_shape(lambda kind=kind: kind(D, H, rngs=nnx.Rngs(0))))
        found[kind.__name__] = [name for name, each in kinds.items() if each.keeps]
    assert found == {"Elman": [], "LSTM": ["forget"], "GRU": ["update"]}


def test_wrappers_and_layers_show_those_of_their_cell():
    cell = drawn(lambda: LSTM(D, H, rngs=nnx.Rngs(0)))
    carry, x = state(cell)
    expected, _ = observed(cell, carry, x)
    layer = Recurrent(everything(cell)).stepwise()
    shown = activations(layer, carry, jnp.array(x))
    assert activation_kinds(layer) == activation_kinds(cell)
    for name, values in expected.items():
        np.testing.assert_allclose(shown[name], values, rtol=1e-12)


def test_a_cell_that_shows_nothing_is_asked_for_nothing():
    class Plain:
        in_features = features = out_features = 1

    layer = Recurrent(Plain())  # type: ignore[arg-type]
    assert activation_kinds(layer) == activations(layer, (), jnp.zeros((1, 1))) == {}
