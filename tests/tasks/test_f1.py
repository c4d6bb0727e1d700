"""Confusion counts and macro F1 against scikit-learn."""

import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, f1_score

from seqexp.data.buckets import splits_in_buckets
from seqexp.tasks.f1 import confusion, macro_f1, majority_f1
from seqexp.types import Batch, Sequences, TaskSpec, Tokens


@pytest.mark.parametrize("shape", [(40,), (8, 5)])
def test_counts_and_f1_are_those_of_scikit_learn(shape):
    rng = np.random.default_rng(0)
    logits, targets = rng.normal(size=(*shape, 4)), rng.integers(0, 3, shape)
    mask = rng.random(shape) < 0.7
    logits[..., 3] = -9  # A class that neither occurs nor is answered counts for nothing.
    said = logits.argmax(-1)[mask]
    logits[~mask], labels = np.nan, targets[mask]
    counts = np.asarray(confusion(jnp.asarray(logits), jnp.where(mask, targets, 99), mask))
    np.testing.assert_array_equal(counts, confusion_matrix(labels, said, labels=range(4)))
    assert macro_f1(counts) == pytest.approx(f1_score(labels, said, average="macro"))


def test_f1_of_nothing_is_not_a_number():
    assert np.isnan(macro_f1(np.zeros((3, 3))))


def test_the_majority_of_a_task_of_three_classes():
    spec = TaskSpec(Tokens(2), "sequence", 3, 1, causal=False)

    def split(*labels: int) -> Batch:
        ones = np.ones(len(labels), np.int32)
        return Batch(Sequences(ones[:, None], ones), np.array(labels))  # type: ignore[arg-type]

    test = 0, 0, 1, 2
    splits = {"train": split(0, 0, 1, 2), "valid": split(0), "test": split(*test)}
    score = majority_f1(splits_in_buckets(spec, splits, 1), spec)
    # Of class 0 a precision of 1/2 and all found, of the others nothing.
    expected = 2 * (1 / 2) / (1 + 1 / 2) / 3
    assert score == pytest.approx(expected)
