"""Errors of labels that are sequences: insertions, deletions and substitutions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from seqexp.types import Sequences


def edit_distance(found: Sequence[int], right: Sequence[int]) -> int:
    """The fewest insertions, deletions and substitutions that make one of the other.

    d(i, j) = min(d(i - 1, j) + 1, d(i, j - 1) + 1, d(i - 1, j - 1) + (a_i != b_j)), Levenshtein
    1966, by rows.

    >>> edit_distance([1, 2, 3], [2, 3, 3, 1])
    3
    """
    row = list(range(len(right) + 1))
    for i, one in enumerate(found, start=1):
        before, row = row, [i]
        for j, other in enumerate(right, start=1):
            row.append(min(before[j] + 1, row[-1] + 1, before[j - 1] + (one != other)))
    return row[-1]


def label_error_rate(found: Iterable[Sequence[int]], right: Iterable[Sequence[int]]) -> float:
    """Edits over labels, pooled over examples; above 1 where too much is found.

    Graves et al. 2006, eq. 1, https://doi.org/10.1145/1143844.1143891, but that edits and labels
    are summed before they are divided.

    >>> label_error_rate([[1, 2], []], [[1, 2, 3], [4]])
    0.5
    """
    edits = labels = 0
    for one, other in zip(found, right, strict=True):
        edits, labels = edits + edit_distance(one, other), labels + len(other)
    return edits / labels


def label_lists(labels: Sequences) -> list[list[int]]:
    """`[N, U]` labels as a list an example, without padding."""
    rows = zip(np.asarray(labels.values), np.asarray(labels.lengths).tolist(), strict=True)
    return [row[:length].tolist() for row, length in rows]
