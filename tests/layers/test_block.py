"""A block against its parts put together by hand."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from seqexp.cells import GRU, LSTM
from seqexp.layers import MLP, Attention, Block, recurrent_layer
from seqexp.types import SeqexpError
from tests.variants import drawn, quick_jit

T, B, D, H = 5, 2, 3, 4
MIXER = partial(recurrent_layer, cell=GRU)
PLAIN = {
    "mixer": MIXER,
    "norm": "none",
    "residual": False,
    "convolution": None,
    "mlp": None,
    "dropout": 0.0,
}


def make(in_features=D, **options: Any):
    return drawn(
        lambda: Block(in_features, H, rngs=nnx.Rngs(0), **{**PLAIN, **options}), np.float32
    )


XS = np.random.default_rng(0).normal(size=(T, B, D)).astype(np.float32)


@quick_jit
def unroll(layer, xs, key=None):
    return layer.unroll(xs, key=key)[0]


def rms(xs, scale):
    return xs / np.sqrt((xs**2).mean(-1, keepdims=True) + 1e-6) * scale


def test_without_parts_it_is_its_mixer():
    block = make()
    np.testing.assert_array_equal(unroll(block, XS), unroll(block.mixer, XS))


def test_all_parts_are_put_together_as_the_equation_says():
    block = make(
        norm="rms", residual=True, convolution=2, mlp=partial(MLP, kind="swiglu", expansion=2)
    )
    u = XS @ block.project.kernel[...] + block.project.bias[...]
    entered = unroll(block.convolution, rms(u, block.norm.scale[...]))
    v = u + unroll(block.mixer, entered / (1 + np.exp(-entered)))
    inner = rms(v, block.mlp_norm.scale[...])
    gated = inner @ block.mlp.enter.kernel[...]
    inner = gated / (1 + np.exp(-gated)) * (inner @ block.mlp.gate.kernel[...])
    np.testing.assert_allclose(
        unroll(block, XS), v + inner @ block.mlp.leave.kernel[...], atol=1e-5
    )


def test_dropout_falls_on_what_is_added_alone():
    block = make(H, residual=True, dropout=0.5, norm="layer")
    xs = np.random.default_rng(0).normal(size=(T, B, H)).astype(np.float32)
    added = unroll(block, xs, jax.random.key(0)) - xs
    whole = unroll(block, xs) - xs
    dropped = np.isclose(added, 0, atol=1e-6)
    assert 0 < dropped.sum() < dropped.size
    np.testing.assert_allclose(added[~dropped], 2 * whole[~dropped], atol=1e-4)


@pytest.mark.parametrize(
    "kind, f",
    [
        ("gelu", jax.nn.gelu),
        ("relu", jax.nn.relu),
        ("geglu", jax.nn.gelu),
        ("swiglu", jax.nn.silu),
    ],
)
def test_an_mlp_is_its_equation(kind, f):
    mlp = drawn(lambda: MLP(D, H, kind=kind, expansion=1.3, rngs=nnx.Rngs(0)), np.float32)
    inner = f(XS @ mlp.enter.kernel[...] + (mlp.enter.bias[...] if mlp.enter.bias else 0))
    assert inner.shape[-1] == 6  # 5.2, rounded up
    if kind in ("geglu", "swiglu"):
        inner = inner * (XS @ mlp.gate.kernel[...])
    right = inner @ mlp.leave.kernel[...] + (mlp.leave.bias[...] if mlp.leave.bias else 0)
    np.testing.assert_allclose(unroll(mlp, XS), right, atol=1e-5)


def test_parameters_that_recur_are_the_mixers():
    block = make(norm="rms", residual=True)
    assert [own.shape for own in block.recurrent_parameters] == [(H, 3 * H)]
    assert make(mixer=partial(Attention, heads=2)).recurrent_parameters == ()


def test_gates_of_the_mixer_are_those_of_a_step_of_the_whole():
    block = make(norm="rms", residual=True, convolution=2)
    carry = block.initial_carry(B, T)
    x = jnp.asarray(XS[0])
    after, _ = block.step(carry, x)
    gates = block.activations(carry, x)
    kept = gates["update"] * carry.mixer.h + (1 - gates["update"]) * gates["candidate"]
    np.testing.assert_allclose(after.mixer.h, kept, atol=1e-6)
    assert block.activation_kinds["update"].keeps


GLU: Any = {"kind": "glu", "expansion": 2}


@pytest.mark.parametrize(
    "options, message",
    [
        ({"norm": "batch"}, "unknown norm 'batch': use none, layer or rms"),
        (
            {"mlp": partial(MLP, **GLU)},
            "unknown mlp 'glu': use one of gelu, relu, geglu, swiglu",
        ),
        (
            {"mlp": partial(MLP, kind="gelu", expansion=0)},
            "expansion must be a number above 0, not 0",
        ),
        ({"dropout": -1}, "dropout must be at least 0 and below 1, not -1"),
        ({"convolution": 0}, "convolution must be a whole number of at least 1, not 0"),
        (
            {"mixer": partial(recurrent_layer, cell=partial(LSTM, projection=2)), "residual": True},
            "a Recurrent layer of 4 units gives out 2 features, so a block of it",
        ),
    ],
)
def test_impossible_options_are_refused(options, message):
    with pytest.raises(SeqexpError, match=message):
        make(**options)
