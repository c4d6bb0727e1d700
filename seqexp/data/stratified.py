"""Splits by chance in which each class has its share."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from seqexp.types import SeqexpError


def stratified(labels: np.ndarray, shares: Sequence[float], seed: int) -> tuple[np.ndarray, ...]:
    """Divide examples into parts, each class in nearly the same shares.

    The n examples of a class, in the order of one permutation of all that `seed` draws, are dealt
    out: part p gets floor(n share_p) of them, and what is left over goes to the parts with the
    largest remainders, of equal ones to the first. So each part has its share of a class but for
    less than one example.

    Args:
        labels: `[N]` of anything that can be compared.
        shares: of each part, positive, of sum 1.
        seed: any from 0 to 2^32 - 1.

    Returns:
        For each part the places of its examples, in the order that was drawn.

    Raises:
        SeqexpError: shares that are no shares, or a part that gets no example.

    >>> first, second = stratified(np.array(["a", "a", "b", "a", "b", "a"]), (0.5, 0.5), seed=0)
    >>> first.tolist(), second.tolist()
    ([5, 2, 1], [3, 0, 4])
    """
    if min(shares, default=0) <= 0 or not math.isclose(sum(shares), 1, abs_tol=1e-6):
        raise SeqexpError(f"shares of a split must be above 0 and add up to 1, not {list(shares)}")
    # RandomState and not default_rng, since only its stream is promised never to change.
    order = np.random.RandomState(seed).permutation(len(labels))
    parts: list[list[np.ndarray]] = [[] for _ in shares]
    for label in np.unique(labels):
        of_class = order[labels[order] == label]
        ends = np.cumsum(_counts(len(of_class), shares))[:-1]
        for part, places in zip(parts, np.split(of_class, ends), strict=True):
            part.append(places)
    found = tuple(order[np.isin(order, np.concatenate([np.empty(0, int), *p]))] for p in parts)
    if not all(map(len, found)):
        raise SeqexpError(
            f"{len(labels)} examples in shares {list(shares)} make an empty split: give more data "
            "or larger shares"
        )
    return found


def _counts(n: int, shares: Sequence[float]) -> np.ndarray:
    # Rounded, so that 0.8 of 10 leaves no remainder.
    exact = np.round(n * np.asarray(shares), 9)
    counts = np.floor(exact).astype(int)
    counts[np.argsort(counts - exact, kind="stable")[: n - counts.sum()]] += 1
    return counts
