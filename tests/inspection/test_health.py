"""Norms by part, and what is said of figures past their thresholds."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from seqexp import inspection
from seqexp.inspection import Figures, warnings
from seqexp.types import SeqexpError
from tests.inspection.models import MODELS
from tests.variants import quick_jit

confusion_matrix = quick_jit(inspection.confusion_matrix)
norms_by_part = quick_jit(inspection.norms_by_part)
training_norms = quick_jit(inspection.training_norms)


def test_parts_are_named_as_people_know_them_whatever_holds_them():
    model, _ = MODELS["encoder-decoder"]()
    names = {"answer_embedding", "attention", "decoder/layer_1", "embedding", "encoder/layer_1"}
    assert set(norms_by_part(model)) == names | {"join", "readout"}
    assert set(norms_by_part(nnx.state(model))) == names | {"join", "readout"}
    stacked, _ = MODELS["stacked"]()
    assert set(norms_by_part(stacked)) == {"layer_1", "layer_2", "norm_1", "norm_2", "readout"}
    kernels = {"layers": [{"kernel": jnp.array([3.0, 4.0]), "bias": jnp.array([12.0])}]}
    assert float(norms_by_part(kernels)["layer_1"]) == 13


def test_the_norms_of_parts_make_up_the_whole():
    model, _ = MODELS["stacked"]()
    state = nnx.state(model)
    gradients = jax.tree.map(lambda leaf: 2 * leaf, state)
    updates = jax.tree.map(lambda leaf: -1e-3 * leaf, state)
    found = training_norms(gradients, updates, state)
    for norms, tree in ((found.gradient, gradients), (found.update, updates)):
        whole = np.sqrt(sum(float(norm) ** 2 for norm in norms.values()))
        assert whole == pytest.approx(float(optax.tree.norm(tree)))
    np.testing.assert_allclose(list(found.ratio.values()), 1e-3, rtol=1e-4)


def test_a_part_of_zeros_has_no_ratio():
    zeros, ones = ({"readout": {"kernel": value}} for value in (jnp.zeros(3), jnp.ones(3)))
    assert np.isnan(training_norms(zeros, ones, zeros).ratio["readout"])


def test_each_warning_says_what_is_wrong_and_what_to_try():
    said = warnings(
        Figures(
            saturated={"layer_1": 0.93},
            dead={"layer_2": 0.5},
            gradient_reach={"layer_1": 3e-7, "layer_2": 2e6, "layer_3": 1e-3},
            update_ratio={"embedding": 3e-6, "readout": 0.4, "layer_1": 1e-3},
        )
    )
    starts = [
        "layer_1 saturated: 93 % of units; try a smaller recurrent initialisation",
        "layer_2 dead: 50 % of units don't vary; try a smaller learning rate",
        "layer_1's gradient vanishes: 3e-07 of it reaches the first step; try a gated",
        "layer_2's gradient explodes: it grows 2e+06 times up to the first step; try to",
        "embedding hardly moves: updates are 3e-06 of it; try a larger",
        "readout moves too far: updates are 0.4 of it; try a smaller",
    ]
    assert len(said) == len(starts)
    for sentence, start in zip(said, starts, strict=True):
        assert sentence.startswith(start)


def test_nothing_is_said_of_what_is_fine_or_unknown():
    fine, unknown = {"layer_1": 0.2}, {"layer_1": float("nan")}
    assert warnings(Figures()) == []
    assert warnings(Figures(fine, fine, {"layer_1": 1.0}, {"layer_1": 1e-3})) == []
    assert warnings(Figures(unknown, unknown, unknown, unknown)) == []


def test_confusion_counts_what_counts():
    rng = np.random.default_rng(0)
    outputs, labels = rng.normal(size=(5, 6, 3)), rng.integers(0, 3, (5, 6))
    mask = rng.random((5, 6)) < 0.6
    expected = np.zeros((3, 3), int)
    for said, label in zip(outputs[mask].argmax(-1), labels[mask], strict=True):
        expected[label, said] += 1
    labels[~mask] = -100
    found = confusion_matrix(jnp.array(outputs), jnp.array(labels), jnp.array(mask))
    assert found.tolist() == expected.tolist()
    with pytest.raises(SeqexpError, match="don't fit"):
        confusion_matrix(jnp.array(outputs), jnp.array(labels[0]), jnp.array(mask))
