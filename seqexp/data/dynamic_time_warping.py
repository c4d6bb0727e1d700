"""Dynamic time warping: a distance of series that may run at different speeds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seqexp.data.padding import pad
from seqexp.types import SeqexpError

BLOCK = 1 << 17
"""Cells of a diagonal, over all pairs that are computed at once: 1 MiB, for the cache."""


def dtw_distances(
    queries: Sequence[np.ndarray], references: Sequence[np.ndarray], band: int | None = None
) -> np.ndarray:
    """The least cost of a path that aligns two series, of every query with every reference.

        d_{i,j} = |x_i - y_j|^2 + min(d_{i-1,j}, d_{i,j-1}, d_{i-1,j-1}),  d_{1,1} = |x_1 - y_1|^2

    and the distance of series of n and m steps is d_{n,m}: squared, as the archives' baselines take
    it. All features are warped together ("dependent"). Within a band, |i - j| <= max(band, |n - m|)
    (Sakoe and Chiba 1978, https://doi.org/10.1109/TASSP.1978.1163055).

    Computed along anti-diagonals, whose cells depend on earlier ones alone, of many pairs at once;
    the time grows with the product of the lengths, D and the pairs.

    Args:
        queries: `[n, D]` each, of any n from 1.
        references: `[m, D]` each.
        band: steps; None for none. 0 is the squared Euclidean distance of series of one length.

    Returns:
        `[Q, R]` float64.

    Raises:
        SeqexpError: there are no series, one is empty or holds NaN or infinities, or they differ in
            D; or the band is negative.

    >>> slow, fast = np.array([[0.0], [0.0], [1.0], [1.0]]), np.array([[0.0], [1.0]])
    >>> dtw_distances([slow, fast], [fast]).tolist()
    [[0.0], [0.0]]
    """
    if band is not None and band < 0:
        raise SeqexpError(f"the band of dynamic time warping is 0 steps or more, not {band}")
    _check(queries, references)
    y, y_lengths = _padded(references)
    rows = max(1, BLOCK // (len(references) * max(len(query) for query in queries)))
    blocks = [queries[start : start + rows] for start in range(0, len(queries), rows)]
    return np.concatenate([_block(*_padded(block), y, y_lengths, band) for block in blocks])


def nearest_labels(
    train: Sequence[np.ndarray],
    labels: Sequence,
    queries: Sequence[np.ndarray],
    band: int | None = None,
) -> np.ndarray:
    """The label of each query's nearest training series by `dtw_distances`; of several at the same
    distance, the first.

    Args:
        train: `[m, D]` each.
        labels: of each.
        queries: `[n, D]` each.
        band: steps; None for none.

    Raises:
        SeqexpError: as `dtw_distances` does, or there are more or fewer labels than series.
    """
    if len(labels) != len(train):
        raise SeqexpError(f"{len(train)} training series have {len(labels)} labels: give each one")
    return np.asarray(labels)[dtw_distances(queries, train, band).argmin(axis=1)]


def _block(
    x: np.ndarray, n: np.ndarray, y: np.ndarray, m: np.ndarray, band: int | None
) -> np.ndarray:
    """`[Q, R]` distances of `[D, Q, X]` and `[D, R, Y]`, of true lengths `[Q]` and `[R]`."""
    _, Q, X = x.shape
    _, R, Y = y.shape
    widest = None if band is None else np.maximum(band, abs(n[:, None] - m))[..., None]
    ends = n[:, None] + m - 2
    distances = np.empty((Q, R))
    # d_{i,j} of the diagonal i + j = s stands at i + 1, behind a wall that no path comes through.
    before_last = np.full((Q, R, X + 1), np.inf)
    last = before_last.copy()
    before_last[..., 0] = 0
    for s in range(X + Y - 1):
        i = np.arange(max(0, s - Y + 1), min(X, s + 1))
        cost = np.zeros((Q, R, len(i)))
        for x_d, y_d in zip(x, y, strict=True):
            cost += np.square(x_d[:, None, i] - y_d[None, :, s - i])
        if widest is not None:
            cost[np.broadcast_to(abs(2 * i - s), cost.shape) > widest] = np.inf
        here = np.full((Q, R, X + 1), np.inf)
        best = np.minimum(last[..., i], last[..., i + 1])
        here[..., i + 1] = cost + np.minimum(best, before_last[..., i])
        query, reference = np.nonzero(ends == s)
        distances[query, reference] = here[query, reference, n[query]]
        before_last, last = last, here
    return distances


def _padded(series: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """`[D, N, T]` float64 and `[N]` lengths."""
    arrays = [np.asarray(each, np.float64) for each in series]
    values, lengths = pad(arrays, max(len(each) for each in arrays))
    return np.ascontiguousarray(values.transpose(2, 0, 1)), lengths


def _check(queries: Sequence[np.ndarray], references: Sequence[np.ndarray]) -> None:
    if not len(queries) or not len(references):
        raise SeqexpError("dynamic time warping needs series on both sides: there are none")
    shapes = {np.shape(each)[1:] for side in (queries, references) for each in side}
    if len(shapes) > 1 or len(min(shapes)) != 1:
        raise SeqexpError(f"all series must be [t, D] with one D, not [t] and {sorted(shapes)}")
    for name, side in (("query", queries), ("reference", references)):
        for number, each in enumerate(side):
            if not len(each) or not np.isfinite(each).all():
                raise SeqexpError(
                    f"{name} {number} is empty or holds NaN or infinities: fill or leave it out"
                )
