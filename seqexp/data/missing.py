"""Missing values: what stands in their place, and channels that say where."""

from __future__ import annotations

import numpy as np


def fill_missing(values: np.ndarray, initial: np.ndarray | float = 0.0) -> np.ndarray:
    """Each NaN becomes the last value before it; `initial` where none is before.

    Nothing is filled from the future, so a forecast doesn't see what it is to say.

    Args:
        values: `[..., T, D]` floats.
        initial: `[D]` or one number: 0, the mean, for standardized values.

    >>> fill_missing(np.array([[np.nan], [2.0], [np.nan], [3.0]])).tolist()
    [[0.0], [2.0], [2.0], [3.0]]
    """
    there = ~np.isnan(values)
    steps = np.arange(values.shape[-2])[:, None]
    last = np.maximum.accumulate(np.where(there, steps, -1), axis=-2)
    filled = np.take_along_axis(values, np.maximum(last, 0), axis=-2)
    return np.where(last >= 0, filled, np.asarray(initial, values.dtype))


def with_mask_channels(filled: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """`[..., T, D]` filled values and their mask to `[..., T, 2D]`: behind each step's values, 1
    where a value was there and 0 where it was filled.

    >>> with_mask_channels(np.array([[0.5, 2.0]]), np.array([[False, True]])).tolist()
    [[0.5, 2.0, 0.0, 1.0]]
    """
    return np.concatenate([filled, mask.astype(filled.dtype)], axis=-1)
