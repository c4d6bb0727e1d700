"""The CTC loss against the sum over all paths, and what stands at padding."""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqexp.tasks.ctc_loss import ctc_loss
from seqexp.types import Sequences

BLANK = 2


def collapsed(path) -> list[int]:
    return [label for label, _ in itertools.groupby(path) if label != BLANK]


def slow_loss(logits: np.ndarray, labels: list[int]) -> float:
    """By all C^T paths."""
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    T, C = logits.shape
    paths = (p for p in itertools.product(range(C), repeat=T) if collapsed(p) == labels)
    return -np.log(sum(np.prod(probabilities[np.arange(T), path]) for path in paths))


@pytest.fixture(scope="module")
def loss():
    return jax.jit(lambda logits, labels, mask: ctc_loss(logits, labels, mask, BLANK))


CASES = [(5, [0, 1]), (4, [1, 1]), (3, [0]), (5, []), (1, [1])]


def test_it_is_the_sum_over_all_paths(loss):
    rng = np.random.default_rng(0)
    T, U = 5, 2
    logits = rng.normal(0, 2, (len(CASES), T, 3)).astype(np.float32)
    lengths = np.array([steps for steps, _ in CASES])
    labels = np.full((len(CASES), U), 99, np.int32)
    for row, (_, own) in enumerate(CASES):
        labels[row, : len(own)] = own
    targets = Sequences(labels, np.array([len(own) for _, own in CASES]))  # type: ignore[arg-type]
    mask = np.arange(T) < lengths[:, None]
    total, weight = loss(np.where(mask[..., None], logits, np.nan), targets, mask)
    slow = [slow_loss(own[:n], right) for own, (n, right) in zip(logits, CASES, strict=True)]
    assert weight == len(CASES)
    np.testing.assert_allclose(total, sum(slow), rtol=1e-4)


def test_padding_weighs_nothing_and_has_no_gradient(loss):
    logits = jnp.asarray(np.random.default_rng(1).normal(size=(2, 4, 3)), jnp.float32)
    targets = Sequences(jnp.array([[0, 7], [7, 7]]), jnp.array([1, 0]))
    mask = jnp.arange(4) < jnp.array([3, 0])[:, None]
    spoilt = jnp.where(mask[..., None], logits, jnp.inf)
    gradient = jax.grad(lambda logits: loss(logits, targets, mask).total)(spoilt)
    assert loss(spoilt, targets, mask).weight == 1
    assert np.all(np.isfinite(gradient)) and np.any(gradient[0, :3] != 0)
    np.testing.assert_array_equal(np.where(mask[..., None], 0, gradient), 0)
