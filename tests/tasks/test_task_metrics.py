"""Metrics against plain numpy in float64, at ordinary and at extreme values."""

import jax.numpy as jnp
import numpy as np
import pytest

from seqexp.tasks import metrics
from seqexp.types import SeqexpError

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(0, 2, (3, 4, 5))
LABELS = RNG.integers(0, 5, (3, 4))
MASK = np.arange(4) < np.array([4, 1, 0])[:, None]


def test_cross_entropy():
    p = np.exp(LOGITS) / np.exp(LOGITS).sum(-1, keepdims=True)
    losses = [-np.log(p[b, t, LABELS[b, t]]) for b, t in np.argwhere(MASK)]
    total, weight = metrics.cross_entropy(
        jnp.asarray(LOGITS, jnp.float32), jnp.asarray(LABELS), jnp.asarray(MASK)
    )
    np.testing.assert_allclose(total, sum(losses), rtol=1e-6)
    assert weight == 5


def test_accuracy():
    right = [LOGITS[b, t].argmax() == LABELS[b, t] for b, t in np.argwhere(MASK)]
    total, weight = metrics.accuracy(
        jnp.asarray(LOGITS, jnp.float32), jnp.asarray(LABELS), jnp.asarray(MASK)
    )
    assert (total, weight) == (sum(right), 5)


def test_squared_error_is_a_mean_over_values():
    targets = RNG.normal(size=LOGITS.shape)
    total, weight = metrics.squared_error(
        jnp.asarray(LOGITS, jnp.float32), jnp.asarray(targets, jnp.float32), jnp.asarray(MASK)
    )
    np.testing.assert_allclose(total / weight, ((LOGITS - targets) ** 2)[MASK].mean(), rtol=1e-6)
    assert weight == 5


def test_bernoulli_nll_is_a_sum_over_values():
    targets = RNG.integers(0, 2, LOGITS.shape)
    p = 1 / (1 + np.exp(-LOGITS))
    nll = -np.log(np.where(targets == 1, p, 1 - p)).sum(-1)
    total, weight = metrics.bernoulli_nll(
        jnp.asarray(LOGITS, jnp.float32), jnp.asarray(targets, jnp.float32), jnp.asarray(MASK)
    )
    np.testing.assert_allclose(total, nll[MASK].sum(), rtol=1e-6)
    assert weight == 5


@pytest.mark.parametrize("size", [100.0, 1e4, 1e30])
def test_extreme_logits_neither_overflow_nor_round_to_nothing(size):
    one = jnp.ones(1, bool)
    wrong = metrics.cross_entropy(jnp.array([[size, 0.0]]), jnp.array([1]), one).total
    right = metrics.cross_entropy(jnp.array([[size, 0.0]]), jnp.array([0]), one).total
    np.testing.assert_allclose([wrong, right], [size, 0], rtol=1e-6)
    for logit, target, expected in [(size, 0.0, size), (size, 1.0, 0), (-size, 1.0, size)]:
        nll = metrics.bernoulli_nll(jnp.array([[logit]]), jnp.array([[target]]), one).total
        np.testing.assert_allclose(nll, expected, rtol=1e-6)


@pytest.mark.parametrize("metric", [metrics.cross_entropy, metrics.accuracy])
@pytest.mark.parametrize(
    ("targets", "said"),
    [
        (np.zeros((8, 1), np.int32), r"int32 \[8, 1\], but logits \[8, 10\] need integers \[8\]"),
        (np.zeros(8, np.float32), r"float32 \[8\]"),
    ],
)
def test_labels_of_another_form_are_refused(metric, targets, said):
    """Broadcast they would make an accuracy of 3."""
    with pytest.raises(SeqexpError, match=f"{metric.__name__}: targets are {said}"):
        metric(jnp.zeros((8, 10)), targets, np.ones(8, bool))


@pytest.mark.parametrize("metric", [metrics.squared_error, metrics.bernoulli_nll])
def test_values_of_another_shape_are_refused(metric):
    """Broadcast they would make an error of outputs that are right."""
    with pytest.raises(SeqexpError, match=r"the shape of the outputs, \[8, 1\]"):
        metric(jnp.zeros((8, 1)), np.zeros(8, np.float32), np.ones(8, bool))


@pytest.mark.parametrize("mask", [np.ones((8, 1), bool), np.full(8, 0.5, np.float32)])
def test_masks_that_are_none_are_refused(mask):
    with pytest.raises(SeqexpError, match=r"need booleans \[8\]"):
        metrics.squared_error(jnp.zeros((8, 1)), jnp.zeros((8, 1)), mask)


def test_a_true_nan_is_not_hidden():
    outputs = jnp.array([[jnp.nan], [1.0]])
    total, _ = metrics.squared_error(outputs, jnp.ones((2, 1)), jnp.array([True, True]))
    assert jnp.isnan(total)


def test_nothing_true_weighs_nothing():
    total, weight = metrics.cross_entropy(
        jnp.full((2, 3), jnp.nan), jnp.array([7, -7]), jnp.zeros(2, bool)
    )
    assert (total, weight) == (0, 0)
