"""A drawn batch has the form of the spec's example, and the lengths asked for."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pytest

from seqexp.training.check_data import check_examples
from seqexp.training.random_batch import random_batch
from seqexp.types import Features, TaskSpec, Tokens

T, C, U = 9, 5, 4
FREE: dict[str, Any] = {"max_answer_length": U, "start": 2, "end": 1}
SPECS = {
    "labels": TaskSpec(Tokens(7), "sequence", C, T, causal=False),
    "labels a step": TaskSpec(Features(3), "step", C, T, causal=True),
    "values": TaskSpec(Features(3), "sequence", C, T, causal=False, targets="values"),
    "values a step": TaskSpec(Tokens(7), "step", C, T, causal=True, targets="values"),
    "own": TaskSpec(Tokens(7), "step", C, T, causal=True, targets="own"),
    "free": TaskSpec(Tokens(7), "free", C, T, causal=False, **FREE),
    "free from features": TaskSpec(Features(3), "free", C, T, causal=False, **FREE),
}


@pytest.mark.parametrize("length", [None, 6])
@pytest.mark.parametrize("name", SPECS)
def test_it_has_the_form_of_the_example(name, length):
    spec = SPECS[name]
    batch, example = random_batch(spec, 3, length), spec.example(3, length)
    assert jax.tree.structure(batch) == jax.tree.structure(example)
    for array, form in zip(*map(jax.tree.leaves, (batch, example)), strict=True):
        assert isinstance(array, np.ndarray)
        assert (array.shape, array.dtype) == (form.shape, form.dtype)


@pytest.mark.parametrize("name", SPECS)
def test_it_is_what_the_spec_promises(name):
    """By the check that stands before training."""
    batch = random_batch(SPECS[name], 50, lengths=[1, *49 * [T]])
    check_examples(SPECS[name], batch, name)


@pytest.mark.parametrize("name", SPECS)
def test_lengths_are_those_asked_for(name):
    spec = SPECS[name]
    batch = random_batch(spec, 3, 6, lengths=[6, 0, 2], answer_lengths=[1, 4, 3])
    assert batch.inputs.lengths.tolist() == [6, 0, 2]
    assert random_batch(spec, 2, 6).inputs.lengths.tolist() == [6, 6]
    if batch.prefix is not None:
        assert batch.prefix.lengths.tolist() == [1, 4, 3]
        usual = random_batch(spec, 2, 6).prefix
        assert usual is not None and usual.lengths.tolist() == [U, U]


@pytest.mark.parametrize("name", ["free", "free from features"])
def test_a_prefix_begins_with_the_start_and_goes_on_with_any_token(name):
    prefix = random_batch(SPECS[name], 200).prefix
    assert prefix is not None
    values = np.asarray(prefix.values)
    assert set(values[:, 0]) == {2}
    assert set(values[:, 1:].ravel()) == set(range(C))


def test_tokens_and_labels_are_uniform_and_floats_normal():
    labels = random_batch(SPECS["labels"], 7000)
    # 9000 and 1400 expected, with standard deviations of 88 and 33.
    counts = np.bincount(np.ravel(labels.inputs.values), minlength=7)
    assert np.all(np.abs(counts - 9000) < 5 * 88) and len(counts) == 7
    counts = np.bincount(labels.targets, minlength=C)
    assert np.all(np.abs(counts - 1400) < 5 * 33.5) and len(counts) == C
    values = random_batch(SPECS["values"], 7000)
    for floats in (values.inputs.values, values.targets):
        assert abs(np.mean(floats)) < 5 / np.sqrt(np.size(floats))
        assert abs(np.var(floats) - 1) < 5 * np.sqrt(2 / np.size(floats))


def test_floats_are_of_the_type_asked_for_and_integers_are_not():
    values = random_batch(SPECS["values"], 2, dtype=np.float64)
    assert values.inputs.values.dtype == values.targets.dtype == np.float64
    labels = random_batch(SPECS["labels"], 2, dtype=np.float64)
    assert labels.inputs.values.dtype == labels.targets.dtype == np.int32


def test_the_seed_draws():
    one, same, other = (random_batch(SPECS["free"], 4, seed=seed) for seed in (0, 0, 1))
    for ours, theirs in zip(*map(jax.tree.leaves, (one, same)), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert not np.array_equal(one.inputs.values, other.inputs.values)
    assert not np.array_equal(one.targets, other.targets)
