"""Norms by part, and what is said of figures past their thresholds."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from seqexp import inspection
from seqexp.inspection import Figures, longest_solved, warnings
from seqexp.types import SeqexpError
from tests.inspection.models import MODELS
from tests.variants import quick_jit

accuracy_by_distance = quick_jit(inspection.accuracy_by_distance, static_argnums=3)
confusion_matrix = quick_jit(inspection.confusion_matrix)
norms_by_parameter = quick_jit(inspection.norms_by_parameter)
norms_by_part = quick_jit(inspection.norms_by_part)
training_norms = quick_jit(inspection.training_norms)


def test_parts_are_named_as_people_know_them_whatever_holds_them():
    model, _ = MODELS["encoder-decoder"]()
    names = {"answer_embedding", "attention", "decoder/layer_1", "embedding", "encoder/layer_1"}
    assert set(norms_by_part(model)) == names | {"join", "readout"}
    assert set(norms_by_part(nnx.state(model))) == names | {"join", "readout"}
    stacked, _ = MODELS["stacked"]()
    assert set(norms_by_part(stacked)) == {"layer_1", "layer_2", "norm_1", "norm_2", "readout"}
    parameters = norms_by_parameter(nnx.state(stacked))
    assert "layer_2/cell/recurrent_kernel" in parameters
    kernel = stacked.layers[1].cell.recurrent_kernel[...]
    found = parameters["layer_2/cell/recurrent_kernel"]
    assert float(found) == pytest.approx(float(np.linalg.norm(kernel)))


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


def test_accuracy_is_of_each_distance():
    correct = jnp.array([[True, False, True], [True, True, False]])
    distance = jnp.array([[0, 2, 2], [2, 9, -1]])
    found = accuracy_by_distance(correct, distance, jnp.ones((2, 3), bool), 3)
    np.testing.assert_allclose(found.accuracy, [1, np.nan, 2 / 3, np.nan])
    assert found.count.tolist() == [1, 0, 3, 0]


def test_the_longest_that_is_solved():
    scores = {50: 0.95, 100: 0.6, 200: 0.55, 400: float("nan")}
    assert longest_solved(scores, chance=0.1, perfect=1.0) == 200
    assert longest_solved(scores, chance=0.1, perfect=1.0, threshold=0.9) == 50
    assert longest_solved(scores, chance=0.5, perfect=1.0, threshold=1.0) is None
    with pytest.raises(SeqexpError, match="both chance and perfect"):
        longest_solved(scores, chance=1.0, perfect=1.0)
    with pytest.raises(SeqexpError, match="threshold must be"):
        longest_solved(scores, chance=0.1, perfect=1.0, threshold=0)
