"""The gate: every layer of the menu, found by its YAML file, keeps the laws of layers."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from flax import nnx

from seqexp.data.compiling import quick_jit
from seqexp.laws import layers
from seqexp.types import Features, TaskSpec
from tests.test_configs import menu, point
from tests.variants import drawn

QUICK = ("unroll is step", "padding never matters", "causal is causal")
"""What each layer is tried for by the quick tests; all laws are by the exhaustive ones."""
SMALLER = {"tcn": "{tcn: {levels: 2}}"}
"""Layers that have parts to repeat."""
SPEC = TaskSpec(Features(3), "step", 2, 8, causal=True)


def layer_of(name: str, features: int = 4):
    layers = f"model.layers=[{SMALLER.get(name, name)}]"
    composed = point("model=stack", layers, f"model.features={features}")
    return composed.build().model(SPEC, rngs=nnx.Rngs(0)).layers[0]


def problems(name: str, laws, dtype=None) -> dict[str, str]:
    with jax.enable_x64(True):
        of = layers.case(nnx.eval_shape(lambda: layer_of(name)), dtype)
        found = {law: layers.LAWS[law](of) for law in laws}
    return {law: problem for law, problem in found.items() if problem}


@pytest.mark.parametrize("name", menu("layer"))
def test_every_layer_keeps_the_laws_in_float64(name):
    assert problems(name, QUICK, np.float64) == {}


@pytest.mark.full
@pytest.mark.parametrize("name", menu("layer"))
def test_every_layer_keeps_every_other_law(name):
    assert problems(name, layers.LAWS.keys() - set(QUICK), np.float64) == {}


@pytest.mark.full
@pytest.mark.parametrize("name", menu("layer"))
def test_extreme_inputs_give_finite_outputs_and_gradients(name):
    """Of sequences of one step and of many, in float32."""
    layer = drawn(lambda: layer_of(name), np.float32)

    def outputs(layer, xs):
        ys, _ = layer.unroll(xs)
        return jax.numpy.sum(ys), ys

    run = quick_jit(jax.value_and_grad(outputs, argnums=(0, 1), has_aux=True))
    for steps, scale in ((1, 1.0), (1, 1e3), (40, 1e3), (40, 0.0)):
        xs = scale * np.random.default_rng(0).normal(size=(steps, 2, 3)).astype(np.float32)
        found = run(layer, xs)
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(found)), (steps, scale)


@pytest.mark.parametrize("name", menu("layer"))
def test_any_width_can_be_built_for_what_matches_widths(name):
    for features in (1, 7):
        assert nnx.eval_shape(lambda features=features: layer_of(name, features)).out_features > 0
