"""Windows of a long series: a stretch of the past, and the horizon to forecast."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from seqexp.types import SeqexpError

ETT_HOURS = {"train": (0, 8640), "valid": (8640, 11520), "test": (11520, 14400)}
"""Rows of ETTh1 and ETTh2 by split: 12, 4 and 4 months of 30 days. What comes after is not used
(Zhou et al. 2021, "Informer", https://arxiv.org/abs/2012.07436)."""


class Windows(NamedTuple):
    """Windows side by side.

    Attributes:
        inputs: `[N, L, D]`.
        targets: `[N, H, D]`, the rows right behind the inputs.
    """

    inputs: Any
    targets: Any


def window_starts(first: int, last: int, length: int, horizon: int, stride: int = 1) -> np.ndarray:
    """Where windows begin whose targets lie in the rows first .. last - 1 of a series.

    Inputs may reach back before `first`, into the split before: they are known when the forecast
    is made, and so Informer, Autoformer and DLinear count theirs. Row 0 has nothing before it, so a
    split that begins there has L targets less.

        starts  s = first - L, first - L + stride, ... while s >= 0 and s + L + H <= last

    Args:
        first: the split's first row.
        last: the row after its last.
        length: L, input rows.
        horizon: H, target rows.
        stride: rows from one window to the next.

    Returns:
        `[N]` int32, N at least 1.

    Raises:
        SeqexpError: a number is out of range, or not one window fits.

    >>> starts = window_starts(*ETT_HOURS["valid"], length=336, horizon=96)
    >>> len(starts), starts[0] + 336
    (2785, np.int32(8640))
    """
    if first < 0 or min(length, horizon, stride) < 1:
        raise SeqexpError(
            "windows need rows of 0 or more and a length, horizon and stride of at least 1, not "
            f"{first}, {length}, {horizon} and {stride}"
        )
    starts = np.arange(max(first - length, 0), last - length - horizon + 1, stride, dtype=np.int32)
    if not len(starts):
        raise SeqexpError(
            f"no window of {length} + {horizon} rows has its targets in rows {first} to {last}: "
            "take a shorter window or horizon"
        )
    return starts


def cut_windows(values: Any, starts: Any, length: int, horizon: int) -> Windows:
    """The windows that begin at rows of a series; by indices alone, so it may be traced.

    Args:
        values: `[T, D]` of numpy or JAX.
        starts: `[N]` integers of `window_starts`.
        length: L.
        horizon: H.

    >>> inputs, targets = cut_windows(np.arange(6)[:, None], np.array([0, 2]), 3, 1)
    >>> inputs[..., 0].tolist(), targets[..., 0].tolist()
    ([[0, 1, 2], [2, 3, 4]], [[3], [5]])
    """
    rows = starts[:, None] + np.arange(length + horizon, dtype=np.int32)
    return Windows(values[rows[:, :length]], values[rows[:, length:]])
