"""Padding: what stands where, and nothing lost."""

import doctest

import jax.numpy as jnp
import numpy as np
import pytest

from seqexp.data import padding
from seqexp.types import Sequences


def test_the_examples_in_the_docstrings():
    outcome = doctest.testmod(padding)
    assert outcome.attempted > 0 and outcome.failed == 0


def test_pad_keeps_features_and_dtype():
    sequences = [np.full((t, 2), t, np.uint8) for t in (3, 0, 5)]
    padded, lengths = padding.pad(sequences, 5)
    assert padded.shape == (3, 5, 2) and padded.dtype == np.uint8
    np.testing.assert_array_equal(lengths, [3, 0, 5])
    np.testing.assert_array_equal(padded.sum((1, 2)), [3 * 3 * 2, 0, 5 * 5 * 2])


@pytest.mark.parametrize("length", [1, 4, 5, 9, 10, 20])
def test_consecutive_windows_predict_every_token_but_the_first_once(length):
    tokens = np.arange(100, 110)
    (inputs, lengths), targets, _ = padding.consecutive_windows(tokens, length)
    true = np.arange(length) < np.asarray(lengths)[:, None]
    np.testing.assert_array_equal(np.asarray(inputs)[true], tokens[:-1])
    np.testing.assert_array_equal(np.asarray(targets)[true], tokens[1:])
    assert np.all(np.asarray(lengths) > 0)


def test_the_mask_is_true_at_true_steps():
    mask = Sequences(jnp.zeros((4, 3)), jnp.array([0, 2, 3, 5])).mask
    np.testing.assert_array_equal(mask, [[0, 0, 0], [1, 1, 0], [1, 1, 1], [1, 1, 1]])
