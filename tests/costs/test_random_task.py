"""Random sequences in the form of a task."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from seqexp.costs import RandomTask
from seqexp.types import Bucket, Features, Prediction, TaskSpec, Tokens

TOKENS = TaskSpec(Tokens(7), "step", 7, 50, causal=True)
FEATURES = TaskSpec(Features(3), "sequence", 2, 50, causal=False)


def test_tokens_and_features_have_the_form_of_the_spec():
    (tokens,) = RandomTask(TOKENS, 40).load().held_out["valid"]
    values = tokens.inputs.values
    assert (values.shape, values.dtype) == ((40, 50), jnp.int32)
    assert set(np.unique(values)) == set(range(7))
    (features,) = RandomTask(FEATURES, 40).load().held_out["valid"]
    values = features.inputs.values
    assert values.shape == (40, 50, 3)
    assert abs(float(values.mean())) < 0.05 and abs(float(values.std()) - 1) < 0.05
    assert features.inputs.lengths.tolist() == [50] * 40


def test_every_step_gets_the_same_batch():
    splits = RandomTask(TOKENS, 4).load()
    key = jnp.zeros(2, jnp.uint32)
    assert splits.train.buckets(4) == (Bucket(4, 50),)
    batches = [splits.train.batch(None, key, jnp.int32(step), Bucket(4, 50)) for step in range(2)]
    for batch in batches:
        (valid,) = splits.held_out["valid"]
        np.testing.assert_array_equal(batch.inputs.values, valid.inputs.values)
    assert splits.train.steps_per_epoch(4) is None


def test_the_loss_is_the_mean_square():
    task = RandomTask(FEATURES, 4)
    prediction = Prediction(jnp.array([[1.0, 2.0], [3.0, 0.0]]), ())
    loss = task.measure(prediction, task.load().held_out["valid"][0])["loss"]
    assert float(loss.total / loss.weight) == pytest.approx(14 / 4)
