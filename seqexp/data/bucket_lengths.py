"""Which lengths the examples of a task are padded to: few, and with little padding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from seqexp.types import Batch

WASTED, MOST, CANDIDATES = 0.07, 16, 512


def example_lengths(examples: Batch) -> np.ndarray:
    """`[N]` steps of each example: of its inputs, or of its prefix where that is longer."""
    inputs = np.asarray(examples.inputs.lengths)
    return inputs if examples.prefix is None else np.maximum(inputs, examples.prefix.lengths)


def best_lengths(lengths: np.ndarray, buckets: int) -> list[int]:
    """The greatest length of each of at most so many buckets, with the least padding in all.

    It minimises sum_n (e(l_n) - l_n), e(l) the least bucket length of at least l, by dynamic
    programming over the lengths that occur; over 512 quantiles of them where they are more.

    Args:
        lengths: `[N]` of all examples.
        buckets: at least 1.

    >>> best_lengths(np.array([1, 1, 2, 9, 9, 10]), buckets=2)
    [2, 10]
    """
    own = np.maximum(lengths, 1)
    ends = np.unique(own)
    if len(ends) > CANDIDATES:
        ends = np.unique(np.quantile(own, np.linspace(0, 1, CANDIDATES), method="higher"))
    below = np.concatenate([[0], np.searchsorted(np.sort(own), ends, side="right")])
    # least[j]: padded steps of the examples up to the j-th length, in so many buckets as yet.
    least, choices = np.concatenate([[0.0], np.full(len(ends), np.inf)]), []
    for _ in range(min(buckets, len(ends))):
        # A bucket that ends at length j begins behind i: [i, j].
        padded = least[:-1, None] + (below[None, 1:] - below[:-1, None]) * ends
        padded[np.tril_indices(len(ends), -1)] = np.inf
        choices.append(padded.argmin(0))
        least = np.concatenate([[np.inf], padded.min(0)])
    place, found = len(ends), []
    for begins in reversed(choices):
        found.append(int(ends[place - 1]))
        place = int(begins[place - 1])
    return found[::-1]


def bucket_lengths(examples: Batch, buckets: int | Literal["auto"]) -> list[int]:
    """`best_lengths` for a number of buckets; "auto" for as few of 1 to 16 as waste at most 7 %.

    That leaves 3 % for the examples that move up to fill batches, and for what fills the last.
    """
    own = example_lengths(examples)
    if buckets != "auto":
        return best_lengths(own, buckets)
    found: list[int] = []
    for count in range(1, MOST + 1):
        found = best_lengths(own, count)
        if length_padding(examples, found) <= WASTED:
            break
    return found


def length_padding(examples: Batch, lengths: Sequence[int]) -> float:
    """The share of padding in examples that are padded to the lengths of buckets.

        1 - sum_n l_n / sum_n e(l_n)

    Inputs and prefix are counted together, and what fills up batches is not.

    >>> from seqexp.types import Sequences
    >>> inputs = Sequences(np.zeros((3, 4)), np.array([1, 2, 4]))
    >>> length_padding(Batch(inputs, ()), [2, 4])
    0.125
    """
    ends = np.asarray(lengths)[np.searchsorted(lengths, example_lengths(examples))]
    read = [examples.inputs] if examples.prefix is None else [examples.inputs, examples.prefix]
    true = sum(int(np.asarray(each.lengths).sum()) for each in read)
    return 1 - true / sum(int(np.minimum(ends, each.values.shape[1]).sum()) for each in read)
