"""Random sequences in the form of a task."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from seqexp.costs import RandomTask
from seqexp.types import TaskSpec

TOKENS = TaskSpec("tokens", 7, "step", 7, 50, causal=True)
FEATURES = TaskSpec("features", 3, "sequence", 2, 50, causal=False)


def test_tokens_and_features_have_the_form_of_the_spec():
    tokens = RandomTask(TOKENS, 40).load()
    assert (tokens.valid.inputs.shape, tokens.valid.inputs.dtype) == ((40, 50), jnp.int32)
    assert set(np.unique(tokens.valid.inputs)) == set(range(7))
    features = RandomTask(FEATURES, 40).load().valid
    assert features.inputs.shape == (40, 50, 3)
    assert (
        abs(float(features.inputs.mean())) < 0.05 and abs(float(features.inputs.std()) - 1) < 0.05
    )
    assert features.lengths.tolist() == [50] * 40


def test_every_step_gets_the_same_batch():
    splits = RandomTask(TOKENS, 4).load()
    key = jnp.zeros(2, jnp.uint32)
    batches = [splits.train.batch(None, key, jnp.int32(step), 4) for step in range(2)]
    for batch in batches:
        np.testing.assert_array_equal(batch.inputs, splits.valid.inputs)
    assert splits.train.steps_per_epoch(4) is None


def test_the_loss_is_the_mean_square():
    task = RandomTask(FEATURES, 4)
    loss = task.measure(jnp.array([[1.0, 2.0], [3.0, 0.0]]), task.load().valid)["loss"]
    assert float(loss.total / loss.weight) == pytest.approx(14 / 4)
