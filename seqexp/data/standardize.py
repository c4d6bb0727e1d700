"""Features of mean 0 and standard deviation 1, by statistics of the training split."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from seqexp.types import SeqexpError


class Statistics(NamedTuple):
    """What features are standardized by.

    Attributes:
        mean: `[D]` float64.
        std: `[D]` float64, 1 for a feature that never changes.
    """

    mean: np.ndarray
    std: np.ndarray

    def standardize(self, values: Any, mask: Any = None) -> Any:
        """(values - mean) / std, of `[..., D]`, in the dtype of the values; NaN stays NaN.

        Args:
            values: of numpy or JAX, traced or not; the result is of the same.
            mask: `[...]`, True where a step is real; 0 elsewhere. None where all are.
        """
        xp = np if isinstance(values, np.ndarray) else jnp
        standard = (values - self.mean.astype(values.dtype)) / self.std.astype(values.dtype)
        return standard if mask is None else xp.where(mask[..., None], standard, 0)

    def restore(self, values: Any) -> Any:
        """values * std + mean: the inverse, but for what a mask made 0."""
        return values * self.std.astype(values.dtype) + self.mean.astype(values.dtype)


def statistics(values: np.ndarray, lengths: np.ndarray | None = None) -> Statistics:
    """Mean and population standard deviation of each feature over all true steps, in float64.

    Call it with the training split alone. Missing values, NaN, don't count. A feature that never
    changes has a deviation of 1, so that standardized it is 0.

    Args:
        values: `[T, D]` of one series, or `[N, T, D]` right-padded; anything at padding.
        lengths: `[N]`, true lengths; None where there is no padding.

    Raises:
        SeqexpError: a feature has no values at all, or an infinite one.

    >>> found = statistics(np.array([[1.0, 5.0], [3.0, 5.0], [np.nan, 5.0]]))
    >>> found.mean.tolist(), found.std.tolist()
    ([2.0, 5.0], [1.0, 1.0])
    """
    values = np.asarray(values)
    if lengths is None:
        steps = values.reshape(-1, values.shape[-1])
    else:
        steps = values[np.arange(values.shape[1]) < np.asarray(lengths)[:, None]]
    mean, std = [], []
    for number, feature in enumerate(steps.T.astype(np.float64)):
        there = feature[~np.isnan(feature)]
        if not len(there):
            raise SeqexpError(f"feature {number} has no values to normalise by: leave it out")
        if np.isinf(there).any():
            raise SeqexpError(f"feature {number} has an infinite value: mend the data")
        # A deviation that is 0 in float32 cannot be divided by.
        constant = there.min() == there.max() or there.std() < np.finfo(np.float32).tiny
        mean.append(there[0] if constant else there.mean())
        std.append(1.0 if constant else there.std())
    return Statistics(np.array(mean, np.float64), np.array(std, np.float64))
