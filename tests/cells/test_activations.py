"""The activations that cells show against the papers' equations, and against their own step."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from seqexp.cells import GRU, LSTM
from seqexp.cells.protocol import Observable, activation_kinds, activations
from seqexp.layers import Recurrent
from tests.variants import bare_cells, cell_classes, drawn, everything, quick, quick_jit

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


def lstm_of(cell, carry, new, shown):
    c = shown["forget"] * carry.c + shown["input"] * shown["candidate"]
    h = shown["output"] * shown["memory"]
    return [(c, new.c), (h if cell.projection is None else h @ cell.projection[...], new.h)]


def gru_of(cell, carry, new, shown):
    keep = shown["update"]
    return [(keep * carry.h + (1 - keep) * shown["candidate"], new.h)]


def hidden_of(cell, carry, new, shown):
    return [(shown["hidden"], new.h), *([(shown["memory"], new.m)] if "memory" in shown else [])]


def antisymmetric_of(cell, carry, new, shown):
    return [(carry.h + 0.1 * shown.get("update", 1) * shown["candidate"], new.h)]


def cornn_of(cell, carry, new, shown):
    z = carry.z + 0.042 * (shown["candidate"] - 2.7 * carry.y - 4.7 * carry.z)
    return [(z, new.z)]


def lem_of(cell, carry, new, shown):
    keep = shown["forget"]
    written = (new.y - shown["update"] * carry.y) / (1 - shown["update"])
    assert np.all(np.abs(written) <= 1)
    return [(keep * carry.z + (1 - keep) * shown["candidate"], new.z)]


def slstm_of(cell, carry, new, shown):
    c = shown["forget"] * carry.c + shown["input"] * shown["candidate"]
    n = shown["forget"] * carry.n + shown["input"]
    return [(c, new.c), (n, new.n), (shown["output"] * c / n, new.h)]


def qrnn_of(cell, carry, new, shown):
    c = shown["forget"] * carry.c + (1 - shown["forget"]) * shown["candidate"]
    return [(c, new.c), (shown["output"] * c, new.h)]


def sru_of(cell, carry, new, shown):
    through = (new.h - shown["reset"] * new.c) / (1 - shown["reset"])
    candidate = (new.c - shown["forget"] * carry.c) / (1 - shown["forget"])
    _, x = state(cell)
    x, candidate_too = np.split(x @ cell.input_kernel[...][:, 2 * H :], 2, axis=-1)[::-1]
    return [(through, np.sqrt(3) * x), (candidate, candidate_too)]


MADE_OF = {
    "Elman": hidden_of,
    "LSTM": lstm_of,
    "GRU": gru_of,
    "MGU": gru_of,
    "UGRNN": gru_of,
    "IndRNN": hidden_of,
    "ExpRNN": hidden_of,
    "SRU": sru_of,
    "QRNN": qrnn_of,
    "AntisymmetricRNN": antisymmetric_of,
    "CoRNN": cornn_of,
    "LEM": lem_of,
    "SLSTM": slstm_of,
    "LMU": hidden_of,
}


@pytest.mark.parametrize("name", quick(bare_cells()))
def test_the_step_is_made_of_what_is_shown(name):
    cell: Any = drawn(bare_cells()[name])
    carry, x = state(cell)
    shown, (new, _) = observed(cell, carry, x)
    kinds = activation_kinds(cell)
    assert observable(cell) and set(kinds) == set(shown)
    for each, values in shown.items():
        assert np.all((values >= kinds[each].low) & (values <= kinds[each].high))
    for found, expected in MADE_OF[name.partition("(")[0]](cell, carry, new, shown):
        np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_what_keeps_the_state_of_each_gated_cell_says_so():
    found = {}
    for name, kind in cell_classes().items():
        kinds = activation_kinds(jax.eval_shape(lambda kind=kind: kind(D, H, rngs=nnx.Rngs(0))))
        found[name] = [activation for activation, each in kinds.items() if each.keeps]
    forgets = dict.fromkeys(["LSTM", "SLSTM", "SRU", "QRNN"], ["forget"])
    updates = dict.fromkeys(["GRU", "MGU", "UGRNN"], ["update"])
    assert {name: keeps for name, keeps in found.items() if keeps} == {
        **forgets,
        **updates,
        "LEM": ["forget"],
    }


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
