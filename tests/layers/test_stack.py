"""A stack against its layers put together by hand."""

from __future__ import annotations

import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from seqexp.cells import GRU
from seqexp.compiling import fast_options
from seqexp.layers import Bidirectional, Recurrent, Stack
from seqexp.types import SeqexpError
from tests.variants import drawn, quick_jit, unroll_layer

D, H, B, T = 3, 4, 3, 5
LENGTHS = np.array([2, 5, 0])
KEY = jax.random.key(0)


def recurrent(in_features=H, features=H):
    return Recurrent(gru(in_features, features))


def gru(in_features=H, features=H):
    return drawn(lambda: GRU(in_features, features, rngs=nnx.Rngs(0)), np.float32)


def stack(dropout=0.0, residual=False, norm: Any = "none", depth=3):
    layers = [recurrent(D), *(recurrent() for _ in range(depth - 1))]
    rngs = nnx.Rngs(0)
    return Stack(layers, dropout=dropout, residual=residual, norm=norm, rngs=rngs)


def sequences():
    xs = np.random.default_rng(0).normal(size=(B, T, D))
    return np.where((np.arange(T) < LENGTHS[:, None])[:, :, None], xs, np.nan).astype(np.float32)


@quick_jit
def run(module, xs, lengths=None, carry=None, key=None):
    return module(xs, lengths, carry, key)


@quick_jit
def run_layer(layer, xs, lengths=None):
    return unroll_layer(layer, xs, lengths)


def agree(found, expected):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), found, expected)


def layer_norm(xs, scale, shift):
    centred = xs - xs.mean(axis=-1, keepdims=True)
    return centred / np.sqrt(xs.var(axis=-1, keepdims=True) + 1e-6) * scale + shift


def rms_norm(xs, scale):
    return xs / np.sqrt((xs**2).mean(axis=-1, keepdims=True) + 1e-6) * scale


@pytest.mark.parametrize("norm", ["none", "layer", "rms"])
@pytest.mark.parametrize("residual", [False, True])
def test_a_stack_is_its_layers_on_top_of_each_other(residual, norm):
    module = stack(residual=residual, norm=norm)
    ys, hidden, carry = run(module, sequences(), LENGTHS)
    xs = np.nan_to_num(sequences())
    for index, layer in enumerate(module.layers):
        inputs = xs
        parameters: Any = module.norms[index]
        if norm == "layer":
            inputs = layer_norm(xs, parameters.scale[...], parameters.bias[...])
        if norm == "rms":
            inputs = rms_norm(xs, parameters.scale[...])
        out, final = run_layer(layer, inputs.astype(np.float32), LENGTHS)
        agree((hidden[index], carry[index]), (out, final))
        xs = np.asarray(xs + out if residual and index > 0 else out)
    agree(ys, xs)
    assert not ys[0, 2:].any() and not ys[2].any()


@pytest.mark.parametrize("norm", ["none", "layer", "rms"])
def test_what_stands_at_padding_never_matters(norm):
    module = stack(residual=True, norm=norm)

    @quick_jit
    def gradients(module, xs):
        def loss(module, xs):
            ys, hidden, carry = module(xs, LENGTHS)
            return sum((part**2).sum() for part in jax.tree.leaves((ys, hidden, carry)))

        return jax.value_and_grad(loss, argnums=(0, 1))(module, xs)

    with_nan = gradients(module, sequences())
    agree(with_nan, gradients(module, np.nan_to_num(sequences(), nan=5.0)))
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(with_nan))


def test_stepping_is_running():
    module = stack(dropout=0.5, residual=True, norm="layer")
    xs = np.nan_to_num(sequences())
    expected, _, final = run(module, xs)
    carry = module.initial_carry(B, T)
    for t in range(T):
        carry, y = quick_jit(lambda carry, x: module.step(carry, x))(carry, xs[:, t])
        agree(y, expected[:, t])
    agree(carry, final)


def test_a_sequence_in_two_halves_is_the_whole():
    module, xs = stack(depth=2), np.nan_to_num(sequences())
    whole, _, final = run(module, xs)
    first, _, carry = run(module, xs[:, :2])
    second, _, last = run(module, xs[:, 2:], carry=carry)
    agree((np.concatenate([first, second], axis=1), last), (whole, final))


def test_dropout_falls_between_layers_only():
    module, plain = stack(dropout=0.5, depth=2), stack(depth=2)
    xs = np.nan_to_num(sequences())
    ys, hidden, _ = run(module, xs, key=KEY)
    expected, expected_hidden, _ = run(plain, xs)
    agree(hidden[0], expected_hidden[0])
    assert not np.allclose(ys, expected)
    agree(ys, hidden[1])
    assert ys.all(), "the last layer's output is dropped nowhere"
    dropped = run_layer(plain.layers[1], np.zeros_like(hidden[0]))[0]
    always = run(stack(dropout=0.999999, depth=2), xs, key=KEY)[0]
    agree(always, dropped)


def test_dropout_leaves_the_residual_path_alone():
    module = stack(dropout=0.999999, residual=True, depth=3)
    xs = np.nan_to_num(sequences())
    ys, hidden, _ = run(module, xs, key=KEY)
    # All of layer 1's and 2's output is dropped, and layer 1 has no residual: nothing is left.
    agree(ys, hidden[2])
    layers = [recurrent(), recurrent()]
    same_width = Stack(layers, dropout=0.999999, residual=True, norm="none", rngs=nnx.Rngs(0))
    xs = np.random.default_rng(1).normal(size=(B, T, H)).astype(np.float32)
    ys, hidden, _ = run(same_width, xs, key=KEY)
    agree(ys, xs + hidden[1])


def test_without_a_key_nothing_is_dropped_and_each_key_drops_its_own():
    module, plain = stack(dropout=0.5), stack()
    xs = np.nan_to_num(sequences())
    agree(run(module, xs), run(plain, xs))
    first, second = (run(module, xs, key=jax.random.key(seed))[0] for seed in (1, 2))
    assert not np.allclose(first, second)


@pytest.mark.full
@pytest.mark.parametrize("both_directions", [False, True])
def test_only_the_ends_of_a_stack_are_turned_time_first(both_directions):
    """The transposes of whole sequences in a compiled training step are as many for 4 as for 2."""

    def transposes(depth):
        layers: list[Any] = []
        for _ in range(depth):
            width = layers[-1].out_features if layers else D
            pair = Bidirectional(gru(width), gru(width)) if both_directions else None
            layers.append(pair or recurrent(width))
        module = Stack(layers, dropout=0.5, residual=False, norm="layer", rngs=nnx.Rngs(0))

        def loss(module, xs):
            return jnp.sum(module(xs, LENGTHS, None, KEY)[0] ** 2)

        step = jax.jit(jax.grad(loss), compiler_options=fast_options())
        text = step.lower(module, sequences()).compile().as_text()
        return len(re.findall(r"transpose\(.*dimensions=\{\d,\d,\d\}", text or ""))

    assert transposes(2) == transposes(4)


def test_a_stack_is_causal_if_all_its_layers_are():
    assert stack().causal
    both = Bidirectional(gru(D), gru(D))
    mixed = Stack(
        [both, recurrent(2 * H)], dropout=0, residual=False, norm="none", rngs=nnx.Rngs(0)
    )
    assert not mixed.causal
    assert (mixed.in_features, mixed.out_features) == (D, H)
    with pytest.raises(SeqexpError, match="cannot go step by step"):
        mixed.step(mixed.initial_carry(B, T), jnp.zeros((B, D)))


@pytest.mark.parametrize(
    "layers, options, message",
    [
        ([], {}, "at least one layer"),
        ([(D, H), (H + 1, H)], {}, "layer 2 takes 5 features, but the one below gives 4"),
        ([(D, H), (H, H + 1)], {"residual": True}, "cannot have a residual"),
        ([(D, H)], {"norm": "batch"}, "unknown norm 'batch': use none, layer or rms"),
        ([(D, H)], {"dropout": 1.0}, "dropout must be at least 0 and below 1"),
    ],
)
def test_impossible_stacks_are_refused(layers, options, message):
    defaults = {"dropout": 0.0, "residual": False, "norm": "none", "rngs": nnx.Rngs(0)}
    with pytest.raises(SeqexpError, match=message):
        Stack([recurrent(*sizes) for sizes in layers], **(defaults | options))
