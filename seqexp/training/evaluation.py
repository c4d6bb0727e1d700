"""Exact evaluation of whole splits: fixed-size batches, sums pooled on the host in float64."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import jax
import numpy as np

from seqexp.types import Batch, Mean


def eval_batches(split: Batch, batch_size: int) -> list[Batch]:
    """A split as batches of one size; the last is filled up with examples of length 0."""
    examples = split.lengths.shape[0]
    batch_size = min(batch_size, examples)
    missing = -examples % batch_size

    def cut(array: jax.Array) -> list[np.ndarray]:
        padded = np.pad(np.asarray(array), [(0, missing)] + [(0, 0)] * (array.ndim - 1))
        return np.split(padded, len(padded) // batch_size)

    return [Batch(*parts) for parts in zip(*map(cut, split), strict=True)]


def pooled(sums: Iterable[Mapping[str, Mean]]) -> dict[str, np.ndarray]:
    """The means of metrics over batches: each value `[M]`, from sums and weights `[M]` a batch."""
    totals: dict[str, np.ndarray] = {}
    weights: dict[str, np.ndarray] = {}
    for batch in sums:
        for name, mean in batch.items():
            totals[name] = totals.get(name, 0.0) + np.asarray(mean.total, np.float64)
            weights[name] = weights.get(name, 0.0) + np.asarray(mean.weight, np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        return {name: totals[name] / weights[name] for name in totals}
