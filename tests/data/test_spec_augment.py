"""SpecAugment: where its masks lie, and that nothing else changes."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqexp.data.spec_augment import SpecAugment
from seqexp.types import SeqexpError, Sequences

T, D = 12, 6
MEAN = 7.0


def inputs(lengths, steps: int = T) -> Sequences:
    """Ones at true steps and -1 at padding."""
    mask = np.arange(steps) < np.array(lengths)[:, None]
    values = np.where(mask[..., None], np.ones((len(lengths), steps, D)), -1.0)
    return Sequences(jnp.asarray(values, jnp.float32), jnp.array(lengths, jnp.int32))


def runs(covered: np.ndarray) -> list[int]:
    """The widths of the stretches of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], covered.astype(int), [0]])))
    return (edges[1::2] - edges[::2]).tolist()


@functools.partial(jax.jit, static_argnums=0)
def augmented(augment: SpecAugment, key, inputs: Sequences, mean) -> Sequences:
    return augment(key, inputs, mean)


@settings(deadline=None, derandomize=True, max_examples=60)
@given(
    seed=st.integers(0, 999),
    lengths=st.lists(st.integers(0, T), min_size=4, max_size=4),
    widths=st.sampled_from([(D, 2 * T, 1.0), (2, 5, 0.3)]),
)
def test_one_mask_of_each_kind_is_a_stretch_within_the_true_length(seed, lengths, widths):
    F, most, share = widths
    before = inputs(lengths)
    after = augmented(SpecAugment(1, F, 1, most, share), jax.random.key(seed), before, MEAN)
    np.testing.assert_array_equal(after.lengths, before.lengths)
    for row, n in zip(np.asarray(after.values), lengths, strict=True):
        np.testing.assert_array_equal(row[n:], -1)
        assert set(np.unique(row[:n])) <= {1.0, MEAN}
        if not n:
            continue
        covered = row[:n] == MEAN
        of_time, of_frequency = covered.all(axis=1), covered.all(axis=0)
        if not of_time.all():
            assert all(run <= F for run in runs(of_frequency))
            assert len(runs(of_frequency)) <= 1
        if not of_frequency.all():
            assert len(runs(of_time)) <= 1
            assert all(run <= min(most, int(share * n)) for run in runs(of_time))
        np.testing.assert_array_equal(covered, of_time[:, None] | of_frequency)


def test_masks_do_not_depend_on_padding_and_do_on_the_key():
    augment = SpecAugment(2, 2, 2, 4)
    short, long = inputs([5, 9], 9), inputs([5, 9], 20)
    key = jax.random.key(3)
    one, other = (augmented(augment, key, x, MEAN).values for x in (short, long))
    np.testing.assert_array_equal(one, other[:, :9])
    assert np.any(one != augmented(augment, jax.random.key(4), short, MEAN).values)
    assert np.any(one[0, :5] != one[1, :5]), "the examples of a batch have the same masks"


def test_widths_and_places_are_uniform():
    """Of 4000 masks: each width as often as another, and every place is reached."""
    n, F = 4000, 3
    values = Sequences(jnp.ones((n, 1, D)), jnp.ones(n, jnp.int32))
    found = augmented(SpecAugment(1, F, 0, 0), jax.random.key(0), values, MEAN).values
    covered = np.asarray(found == MEAN)
    widths = np.bincount(covered[:, 0].sum(axis=1), minlength=F + 1)
    np.testing.assert_allclose(widths / n, 1 / (F + 1), atol=0.03)
    # A mask of f features covers feature k in (f of the D - f + 1 places, fewer at the ends) cases.
    shares = np.zeros(D)
    for f in range(1, F + 1):
        for f0 in range(D - f + 1):
            shares[f0 : f0 + f] += 1 / (F + 1) / (D - f + 1)
    np.testing.assert_allclose(covered[:, 0].mean(axis=0), shares, atol=0.03)


def test_a_mean_of_each_feature_covers_it_and_no_masks_change_nothing():
    mean = jnp.arange(10.0, 10.0 + D)
    before = inputs([T])
    after = augmented(SpecAugment(0, 0, 30, T), jax.random.key(0), before, mean).values[0]
    assert np.any(after != 1)
    np.testing.assert_array_equal(after, np.where(after == 1, 1, mean))
    same = augmented(SpecAugment(0, 3, 0, 3), jax.random.key(0), before, mean)
    np.testing.assert_array_equal(same.values, before.values)


def test_widths_that_do_not_fit_are_refused():
    with pytest.raises(SeqexpError, match="more than the 6 features"):
        SpecAugment(1, D + 1, 0, 0)(jax.random.key(0), inputs([3]), 0.0)
    for counts, share in (((-1, 0, 0, 0), 1.0), ((0, 0, 0, -1), 1.0), ((0, 0, 0, 0), 1.5)):
        with pytest.raises(SeqexpError, match="SpecAugment needs"):
            SpecAugment(*counts, share)
