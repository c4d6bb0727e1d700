"""Recurrent and bidirectional layers: lengths, directions, carries, causality."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from seqexp.cells import GRU, LSTM
from seqexp.layers import Bidirectional, Recurrent, Variational
from seqexp.types import SeqexpError
from tests.full import full
from tests.variants import drawn, everything, quick_jit, unroll_layer

D, H, B, T = 3, 4, 3, 5
LENGTHS = np.array([2, 5, 0])


def gru(features=H, in_features=D):
    return drawn(lambda: GRU(in_features, features, rngs=nnx.Rngs(0)), np.float32)


def lstm():
    return drawn(lambda: LSTM(D, H, rngs=nnx.Rngs(0)), np.float32)


LAYERS = {
    "forward": lambda: Recurrent(gru()),
    "reverse": lambda: Recurrent(gru(), reverse=True),
    "concat": lambda: Bidirectional(gru(), lstm()),
    "sum": lambda: Bidirectional(gru(), lstm(), merge="sum"),
    "one scan": lambda: Bidirectional(gru(), gru(), together=True),
}


def sequences(steps=T):
    return np.random.default_rng(0).normal(size=(B, steps, D)).astype(np.float32)


def padded(xs, lengths, filler):
    return np.where((np.arange(xs.shape[1]) < lengths[:, None])[:, :, None], xs, filler).astype(
        np.float32
    )


@quick_jit
def run(layer, xs, lengths=None, carry=None, key=None):
    return unroll_layer(layer, xs, lengths, carry, key)


def agree(found, expected):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), found, expected)


@pytest.mark.parametrize("name", LAYERS)
def test_each_sequence_is_as_if_it_were_alone_and_unpadded(name):
    layer, xs = LAYERS[name](), sequences()
    ys, carry = run(layer, padded(xs, LENGTHS, np.nan), LENGTHS)
    assert ys.shape == (B, T, layer.out_features)
    for row, length in enumerate(LENGTHS[:2]):
        alone, final = run(layer, xs[row : row + 1, :length])
        agree(ys[row : row + 1, :length], alone)
        agree(jax.tree.map(lambda part, row=row: part[row : row + 1], carry), final)
        assert not ys[row, length:].any()
    assert not ys[2].any()


@pytest.mark.parametrize("name", LAYERS)
def test_more_padding_changes_neither_results_nor_gradients(name):
    layer, xs = LAYERS[name](), sequences()

    @quick_jit
    def gradients(layer, xs):
        def loss(layer, xs):
            ys, carry = unroll_layer(layer, xs, LENGTHS)
            return sum((part**2).sum() for part in [ys, *jax.tree.leaves(carry)])

        return jax.value_and_grad(loss, argnums=(0, 1))(layer, xs)

    wider = np.concatenate([xs, np.full((B, 3, D), np.inf, np.float32)], axis=1)
    value, (by_layer, by_xs) = gradients(layer, padded(xs, LENGTHS, 0))
    wider_value, (wider_by_layer, wider_by_xs) = gradients(layer, padded(wider, LENGTHS, np.nan))
    agree((wider_value, wider_by_layer, wider_by_xs[:, :T]), (value, by_layer, by_xs))
    assert not wider_by_xs[0, 2:].any() and not wider_by_xs[2].any()


@pytest.mark.parametrize(
    "name, causal, steps",
    [
        ("forward", True, [0, 1, 2]),
        ("reverse", False, [2, 3, 4]),
        ("concat", False, [0, 1, 2, 3, 4]),
    ],
)
def test_what_says_that_it_is_causal_is_and_nothing_else(name, causal, steps):
    layer = LAYERS[name]()
    gradient = quick_jit(jax.grad(lambda xs: unroll_layer(layer, xs)[0][:, 2].sum()))(sequences())
    assert [t for t in range(T) if gradient[:, t].any()] == steps
    assert layer.causal is causal


def test_a_bidirectional_layer_is_its_two_cells():
    forward, backward = gru(), lstm()
    xs = sequences()
    there, there_carry = run(Recurrent(forward), xs, LENGTHS)
    back, back_carry = run(Recurrent(backward, reverse=True), xs, LENGTHS)
    ys, carry = run(Bidirectional(forward, backward, merge="concat"), xs, LENGTHS)
    agree(ys, np.concatenate([there, back], axis=-1))
    agree(carry, (there_carry, back_carry))
    ys, _ = run(Bidirectional(forward, backward, merge="sum"), xs, LENGTHS)
    agree(ys, there + back)


def dropped():
    return drawn(lambda: everything(LSTM(D, H, rngs=nnx.Rngs(0))))


@pytest.mark.parametrize("lengths", [full(None, id="full"), pytest.param(LENGTHS, id="ragged")])
@pytest.mark.parametrize("merge", ["concat", full("sum")])
def test_both_directions_in_one_scan_are_those_of_two(merge, lengths):
    """Outputs, final carries and gradients, in float64 and with every kind of dropout."""
    xs = sequences().astype(np.float64)

    @quick_jit
    def gradients(layer, xs):
        def score(layer, xs):
            results = unroll_layer(layer, xs, lengths, key=jax.random.key(0))
            return sum(jnp.sum(jnp.sin(part)) for part in jax.tree.leaves(results)), results

        return jax.grad(score, argnums=(0, 1), has_aux=True)(layer, xs)

    with jax.enable_x64(True):
        forward, backward = dropped(), jax.tree.map(lambda leaf: -leaf, dropped())
        one, two = (
            gradients(Bidirectional(forward, backward, merge=merge, together=together), xs)
            for together in (True, False)
        )
    for got, want in zip(jax.tree.leaves(one), jax.tree.leaves(two), strict=True):
        assert got.dtype == np.float64
        np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-12)


def test_both_directions_together_are_one_loop():
    def loops(together):
        layer = Bidirectional(gru(), gru(), together=together)
        return str(
            jax.make_jaxpr(lambda xs: unroll_layer(layer, xs, jnp.asarray(LENGTHS)))(sequences())
        ).count("scan[")

    assert (loops(True), loops(False)) == (1, 2)


def test_cells_that_differ_cannot_run_together():
    assert not Bidirectional(gru(), lstm()).together
    with pytest.raises(SeqexpError, match="differ in more than their numbers"):
        Bidirectional(gru(), lstm(), together=True)
    with pytest.raises(SeqexpError, match="differ in more than their numbers"):
        Bidirectional(gru(), gru(H + 1), together=True)


def test_a_sequence_in_two_halves_is_the_whole():
    layer, xs = LAYERS["forward"](), sequences()
    whole, final = run(layer, xs)
    first, carry = run(layer, xs[:, :2])
    second, last = run(layer, xs[:, 2:], carry=carry)
    agree((np.concatenate([first, second], axis=1), last), (whole, final))


@pytest.mark.parametrize("name", ["reverse", "concat"])
def test_a_given_carry_is_where_each_direction_starts(name):
    layer, xs = LAYERS[name](), sequences()
    carry = jax.tree.map(lambda part: part + 0.5, layer.initial_carry(B, T))
    given, _ = run(layer, xs, LENGTHS, carry)
    default, _ = run(layer, xs, LENGTHS, layer.initial_carry(B, T))
    agree(default, run(layer, xs, LENGTHS)[0])
    assert not np.allclose(given[0, 1], default[0, 1])


def test_stepping_is_running():
    layer, xs = LAYERS["forward"](), sequences()
    expected, _ = run(layer, xs)
    carry = layer.initial_carry(B, T)
    for t in range(T):
        carry, y = layer.step(carry, xs[:, t])
        agree(y, expected[:, t])


def test_a_key_draws_dropout_and_no_key_none():
    xs, key = sequences(), jax.random.key(0)
    bare = gru()
    layer = Recurrent(Variational(bare, input_rate=0.5, hidden_rate=0.5))
    agree(run(layer, xs)[0], run(Recurrent(bare), xs)[0])
    dropped = run(layer, xs, key=key)[0]
    assert not np.allclose(dropped, run(layer, xs)[0])
    agree(dropped, run(layer, xs, key=key)[0])
    assert not np.allclose(dropped, run(layer, xs, key=jax.random.key(1))[0])


def test_the_two_directions_draw_their_own_dropout():
    cell = Variational(gru(), input_rate=0.5, hidden_rate=0)
    ys, _ = run(Bidirectional(cell, cell), sequences(steps=1), key=jax.random.key(0))
    assert not np.allclose(ys[..., :H], ys[..., H:])


@pytest.mark.parametrize("name", ["reverse", "concat"])
def test_what_needs_the_whole_sequence_refuses_to_step(name):
    layer = LAYERS[name]()
    with pytest.raises(SeqexpError, match="cannot go step by step"):
        layer.step(layer.initial_carry(B, T), sequences()[:, 0])


@pytest.mark.parametrize(
    "cells, merge, message",
    [
        ((H, H), "mean", "unknown merge 'mean': use concat or sum"),
        ((H, H + 1), "sum", "cannot sum 4 and 5 units"),
    ],
)
def test_impossible_merges_are_refused(cells, merge, message):
    with pytest.raises(SeqexpError, match=message):
        Bidirectional(*map(gru, cells), merge=merge)


def test_cells_of_different_inputs_are_refused():
    with pytest.raises(SeqexpError, match="the two cells take 3 and 2 features"):
        Bidirectional(gru(), gru(in_features=2))
