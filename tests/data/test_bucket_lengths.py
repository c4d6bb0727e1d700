"""The lengths of buckets: the best of all, as few as waste little."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from seqexp.data.bucket_lengths import best_lengths, bucket_lengths, length_padding
from seqexp.types import Batch, Sequences


@pytest.mark.parametrize("seed", range(30))
def test_the_best_lengths_are_the_best_of_all(seed):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, 12, rng.integers(1, 15))
    buckets = int(rng.integers(1, 5))
    *shorter, longest = sorted(set(np.maximum(lengths, 1).tolist()))
    choices = itertools.combinations(shorter, min(buckets - 1, len(shorter)))
    least = min(padded([*choice, longest], lengths) for choice in choices)
    found = best_lengths(lengths, buckets)
    assert found[-1] == longest and len(found) <= buckets
    assert padded(found, lengths) == least


def padded(ends, lengths) -> int:
    return sum(min(end for end in ends if end >= length) - length for length in lengths.tolist())


def test_of_very_many_lengths_a_few_are_tried():
    lengths = np.random.default_rng(0).permutation(20_000)
    found = best_lengths(lengths, 4)
    assert found[-1] == 19_999 and len(found) == 4
    even = padded([5_000, 10_000, 15_000, 19_999], lengths)
    assert padded(found, lengths) == pytest.approx(even, rel=0.01)


def as_long_as(lengths: np.ndarray, prefix: np.ndarray | None = None) -> Batch:
    def read(own):
        values = np.broadcast_to(np.float32(0), (len(own), own.max()))
        return Sequences(values, own)  # type: ignore[arg-type]

    return Batch(read(lengths), (), None if prefix is None else read(prefix))


def test_as_few_buckets_as_waste_seven_hundredths():
    assert bucket_lengths(as_long_as(np.full(50, 7)), "auto") == [7]
    lengths = np.arange(21, 101)
    found, true = bucket_lengths(as_long_as(lengths), "auto"), lengths.sum()
    waste = [1 - true / (true + padded(best_lengths(lengths, n), lengths)) for n in range(1, 17)]
    assert waste[len(found) - 1] <= 0.07 < waste[len(found) - 2]
    # Lengths of 18 orders, as many steps of each, need more than there may be.
    orders = np.repeat(2 ** np.arange(18), 2 ** np.arange(18)[::-1])
    assert len(bucket_lengths(as_long_as(orders), "auto")) == 16


def test_the_padding_of_a_prefix_counts():
    """Of a pair the shorter one is padded to the longer one's bucket, or to its own array's end."""
    inputs, prefix = np.array([1, 2, 9, 5]), np.array([2, 4, 3, 5])
    # Buckets [2, 9], so to 2, 9, 9, 9 and to 2, 5, 5, 5: of the prefix there are no more steps.
    share = 1 - (17 + 14) / (2 + 27 + 2 + 15)
    assert length_padding(as_long_as(inputs, prefix), [2, 9]) == pytest.approx(share)
