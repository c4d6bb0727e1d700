"""The gate: every layer of the menu, found by its YAML file, keeps the laws of layers."""

from __future__ import annotations

import functools
from typing import Any

import jax
import numpy as np
import pytest
from flax import nnx

from seqexp.laws import layers
from seqexp.laws.extremes import EXTREMES
from seqexp.training.optimizer import matrices
from seqexp.types import Features, TaskSpec
from tests.full import ARCHITECTURES, full
from tests.test_configs import menu, point

QUICK = ("unroll is step",)
"""What the quick tests try, padded and not, with every gradient: what is its steps looks not ahead,
nor into padding. All laws are tried by the exhaustive tests."""
SMALLER = {"tcn": "{tcn: {levels: 2}}"}
"""Layers that have parts to repeat."""
SPEC = TaskSpec(Features(3), "step", 2, 8, causal=True)


@functools.cache
def maker(name: str):
    """What makes a model of one layer; its features are for the caller to change."""
    layers = f"model.layers=[{SMALLER.get(name, name)}]"
    return point("model=stack", layers, "model.features=4").build().model


def layer_of(name: str, features: int = 4):
    return maker(name)(SPEC, features=features, rngs=nnx.Rngs(0)).layers[0]


def problems(name: str, laws, dtype=None) -> dict[str, str]:
    with jax.enable_x64(True):
        of = layers.case(nnx.eval_shape(lambda: layer_of(name)), dtype)
        found = {law: layers.LAWS[law](of) for law in laws}
    return {law: problem for law, problem in found.items() if problem}


NAMES = [name if name in ARCHITECTURES else full(name) for name in menu("layer")]


@pytest.mark.parametrize("name", NAMES)
def test_every_layer_keeps_the_laws_in_float64(name):
    assert problems(name, QUICK, np.float64) == {}


@pytest.mark.full
@pytest.mark.parametrize("name", menu("layer"))
def test_every_layer_keeps_every_other_law(name):
    assert problems(name, layers.LAWS.keys() - set(QUICK), np.float64) == {}


@pytest.mark.full
@pytest.mark.parametrize("name", menu("layer"))
def test_every_layer_keeps_the_laws_at_its_limits(name):
    layer = layer_of(name)
    found = {law: broken(layer) for law, broken in EXTREMES.items()}
    assert {law: problem for law, problem in found.items() if problem} == {}


@pytest.mark.parametrize("name", NAMES)
def test_any_width_can_be_built_for_what_matches_widths(name):
    for features in (1, 7):
        assert nnx.eval_shape(lambda features=features: layer_of(name, features)).out_features > 0


def test_the_irnn_of_the_menu_starts_as_published():
    """Le et al. 2015: the identity, and non-recurrent weights of deviation 0.001."""
    layer: Any = maker("irnn")(
        TaskSpec(Features(50), "step", 2, 8, causal=True), features=40, rngs=nnx.Rngs(0)
    ).layers[0]
    assert np.all(layer.cell.recurrent_kernel[...] == np.eye(40))
    np.testing.assert_allclose(np.std(layer.cell.input_kernel[...]), 0.001, rtol=0.1)


def test_the_gated_deltanet_of_the_menu_has_the_widths_of_its_authors():
    """Keys of three quarters of the width and values of twice that: 6 P^2 in its matrices."""
    layer: Any = nnx.eval_shape(lambda: layer_of("gated_deltanet", 64))
    mixer = layer.mixer
    assert (mixer.heads * mixer.key_width, mixer.heads * mixer.value_width) == (48, 96)


MATRICES = {
    "rwkv7": (".kernel", "receptance", "key", "value"),
    "rwkv7_channel_mixing": (".kernel", "key"),
    "tcn": ("directions", "kernel"),
    "lmu": ("kernel", "encoder"),
    "lru": ("output_kernel", ".kernel"),
    "s5": ("output_kernel", ".kernel"),
}
"""By layer, how the names of its matrices end, where these are not all kernels. Decays, time steps,
skips and norms are left alone by weight decay, as are what enters the states of LRU and S5 and the
low ranks of RWKV-7, which their authors exempt."""


@pytest.mark.parametrize("name", menu("layer"))
def test_weight_decay_reaches_the_matrices_of_a_layer(name):
    decayed = matrices(nnx.state(nnx.eval_shape(lambda: layer_of(name))))
    for path, decays in nnx.to_flat_state(decayed):
        called = "." + ".".join(part for part in path if isinstance(part, str))
        assert decays == called.endswith(MATRICES.get(name, ("kernel",))), path
