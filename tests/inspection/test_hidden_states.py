"""Hidden states, carries and gates of models of each make."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from flax import nnx

from seqexp.cells import GRU
from seqexp.inspection import hidden_states, input_states, kinds, trace, traces
from seqexp.layers import Recurrent
from seqexp.types import SeqexpError
from tests.inspection.models import (
    LENGTHS,
    MODELS,
    PREFIX_LENGTHS,
    B,
    D,
    T,
    U,
    bag_of_words,
    batch,
    spec,
)
from tests.variants import drawn, quick_jit


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


@quick_jit
def seen(model, batch):
    prediction = model(batch.inputs, batch.prefix)
    return prediction.hidden, hidden_states(model, batch), traces(model, batch)


reading, traced = quick_jit(input_states), quick_jit(trace)


@quick_jit
def stepped(layer, carry, x):
    return layer.activations(carry, x), layer.step(carry, x)[0]


QUICK = "stacked", "encoder-decoder"


@pytest.mark.parametrize(
    "name",
    [name if name in QUICK else pytest.param(name, marks=pytest.mark.full) for name in MODELS],
)
def test_states_are_those_that_the_model_predicts_with(name):
    model, of = MODELS[name]()
    examples = batch(of)
    hidden, states, by_step = seen(model, examples)
    assert list(states) == [f"layer_{n}" for n in range(1, len(hidden) + 1)]
    lengths = {T: LENGTHS, U: PREFIX_LENGTHS}
    for expected, (layer, found) in zip(hidden, states.items(), strict=True):
        np.testing.assert_array_equal(found.mask.sum(1), lengths[found.values.shape[1]])
        np.testing.assert_allclose(found.values, expected, rtol=1e-12)
        ways = [f"{layer}/forward", f"{layer}/backward"]
        parts = [by_step[name] for name in (ways if ways[0] in by_step else [layer])]
        outputs = np.concatenate([each.outputs for each in parts], -1)
        np.testing.assert_allclose(outputs, found.values, rtol=1e-9, atol=1e-12)
    assert set(kinds(model)) == set(by_step)


@pytest.mark.parametrize("name", ["bidirectional", "free answers"])
def test_states_while_the_inputs_are_read_know_nothing_of_padding(name):
    model, of = MODELS[name]()
    found, padded = reading(model, batch(of)), reading(model, batch(of, more=3))
    assert list(found) == ["layer_1", "layer_2"]
    for layer, (values, mask) in found.items():
        np.testing.assert_array_equal(mask.sum(1), LENGTHS)
        np.testing.assert_allclose(padded[layer].values[:, :T], values, rtol=1e-9, atol=1e-12)
        assert not padded[layer].values[:, T:].any() and not padded[layer].mask[:, T:].any()


def test_carries_and_gates_are_those_of_each_step():
    """By the layer's own step in a Python loop, over the first sequence alone."""
    model, _ = MODELS["stacked"]()
    layer, xs = model.layers[0], np.random.default_rng(0).normal(size=(B, T, D))
    mask = np.arange(T)[:, None] < LENGTHS
    found = traced(layer, np.swapaxes(xs, 0, 1), mask, layer.initial_carry(B, T))
    carry = layer.initial_carry(B, T)
    for t in range(T):
        gates, carry = stepped(layer, carry, xs[:, t])
        np.testing.assert_allclose(found.carries.c[0, t], carry.c[0], rtol=1e-10)
        np.testing.assert_allclose(
            found.activations["forget"][0, t], gates["forget"][0], rtol=1e-10
        )
    short = int(LENGTHS[1])
    held = found.carries.h[1]
    np.testing.assert_array_equal(
        held[short:], np.broadcast_to(held[short - 1], held[short:].shape)
    )
    assert not found.activations["forget"][1, short:].any()


def test_a_layer_that_reads_backward_begins_at_the_last_true_step():
    layer = Recurrent(drawn(lambda: GRU(D, 4, rngs=nnx.Rngs(0))), reverse=True)
    xs = np.random.default_rng(0).normal(size=(T, B, D))
    mask = np.arange(T)[:, None] < LENGTHS
    found, length = traced(layer, xs, mask, layer.initial_carry(B, T)), int(LENGTHS[1])
    gate, candidate = (found.activations[name][1, length - 1] for name in ("update", "candidate"))
    np.testing.assert_allclose(found.outputs[1, length - 1], (1 - gate) * candidate, rtol=1e-10)


def test_what_has_no_layers_says_so():
    of = spec("sequence")
    with pytest.raises(SeqexpError, match="not defined for this model, because a BagOfWords has"):
        hidden_states(bag_of_words(of), batch(of))
