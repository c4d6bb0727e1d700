"""Layers of diagonal recurrences with each of their options: the laws, and what they say of
themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest
from flax import nnx

from seqexp.cells.protocol import activation_kinds, activations
from seqexp.laws import layers
from seqexp.layers import LRU, RGLRU, S4D, S5, Mamba, MinGRU, MinLSTM
from seqexp.types import Layer
from tests.variants import drawn

D, H, B = 3, 4, 2


def of(kind: Callable[..., Layer], in_features: int = D, **options: Any) -> Callable[[], Layer]:
    return lambda: kind(in_features, H, **options, rngs=nnx.Rngs(0))


DEFAULTS = {kind.__name__: of(kind) for kind in (LRU, RGLRU, S4D, S5, Mamba, MinGRU, MinLSTM)}
OPTIONS = {
    "MinGRU, linear": of(MinGRU, candidate="linear"),
    "MinLSTM, linear": of(MinLSTM, candidate="linear"),
    "LRU of one width": of(LRU, H, state=3, glu="none"),
    "LRU, half": of(LRU, glu="half"),
    "S5 in blocks": of(S5, H, state=8, blocks=2),
    "S5, bilinear": of(S5, state=2, discretization="bilinear", glu="none"),
    "S4D, bilinear": of(S4D, H, state=4, discretization="bilinear", glu="half"),
    "S4D of few states": of(S4D, state=2),
    "RGLRU in blocks": of(RGLRU, blocks=3, expansion=1, convolution=1),
    "Mamba of one step": of(Mamba, convolution=1, state=1, expansion=1),
    "Mamba, wide": of(Mamba, rank=3, expansion=1.3),
}


@pytest.mark.full
@pytest.mark.parametrize("name", OPTIONS)
def test_options_keep_the_laws(name):
    """The laws that an option of the steps can break: the steps are the whole, in either form."""
    with jax.enable_x64(True):
        case = layers.case(jax.eval_shape(OPTIONS[name]), np.float64)
        for law in ("unroll is step", "stepwise is the layer"):
            assert layers.LAWS[law](case) is None


@pytest.mark.parametrize("name", DEFAULTS)
def test_recurrent_parameters_are_those_of_that_name(name):
    layer = jax.eval_shape(DEFAULTS[name])
    paths = dict(nnx.to_flat_state(nnx.state(layer, nnx.Param)))
    named = [path for path in paths if str(path[0]).startswith("recurrent")]
    found = [own.shape for own in layer.recurrent_parameters]
    assert sorted(found) == sorted(paths[path].shape for path in named)
    assert bool(found) == (name not in ("MinGRU", "MinLSTM"))


@pytest.mark.parametrize("name", ["RGLRU", "Mamba"])
def test_gates_that_are_shown_are_within_their_bounds(name):
    layer = drawn(DEFAULTS[name], np.float32)
    carry = jax.tree.map(lambda part: part + 1, layer.initial_carry(B, 1))
    x: Any = np.random.default_rng(0).normal(size=(B, D)).astype(np.float32)
    kinds, shown = activation_kinds(layer), activations(layer, carry, x)
    assert set(kinds) == set(shown)
    for each, values in shown.items():
        assert np.all((values >= kinds[each].low) & (values <= kinds[each].high))


def test_rg_lru_forgets_as_it_shows():
    """Of an input whose gate is closed the state keeps just a."""
    layer = drawn(DEFAULTS["RGLRU"], np.float32)
    gates = layer.gate_bias[...]
    half = gates.shape[-1] // 2
    layer.gate_bias[...] = np.concatenate([gates[:, :half], np.full((1, half), -1e4)], 1)
    layer.gate_bias[...] = layer.gate_bias[...].astype(np.float32)
    carry = jax.tree.map(lambda part: part + 1, layer.initial_carry(B, 1))
    x: Any = np.random.default_rng(0).normal(size=(B, D)).astype(np.float32)
    new, _ = layer.step(carry, x)
    np.testing.assert_allclose(new.h, activations(layer, carry, x)["forget"], rtol=1e-6)
