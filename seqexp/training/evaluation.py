"""Exact evaluation of whole splits: fixed-size batches, sums pooled on the host in float64."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from seqexp.types import Batch, Mean, Sequences, Sums


class Evaluation(NamedTuple):
    """One member's metrics on a split.

    Attributes:
        metrics: by name.
        weights: over how many targets (or their weights) each that is a mean is one.
    """

    metrics: dict[str, float]
    weights: dict[str, float]


def eval_batches(split: Sequence[Batch], batch_size: int) -> list[Batch]:
    """A split as batches of at most one size; the last of each part is filled up with examples of
    length 0."""
    return [batch for part in split for batch in _cut(part, batch_size)]


def batch_outlines(split: Sequence[Batch], batch_size: int) -> list[Batch]:
    """Shapes in place of the arrays of a batch, once for each part of a split."""

    def outline(part: Batch) -> Batch:
        size = min(batch_size, part.inputs.lengths.shape[0])
        return jax.tree.map(lambda a: jax.ShapeDtypeStruct((size, *a.shape[1:]), a.dtype), part)

    return [outline(part) for part in split]


def _cut(part: Batch, batch_size: int) -> list[Batch]:
    examples = part.inputs.lengths.shape[0]
    batch_size = min(batch_size, examples)
    missing = -examples % batch_size

    def filled(array: jax.Array) -> np.ndarray:
        return np.pad(np.asarray(array), [(0, missing)] + [(0, 0)] * (array.ndim - 1))

    whole = jax.tree.map(filled, part)
    return [
        jax.tree.map(lambda array, start=start: array[start : start + batch_size], whole)
        for start in range(0, examples, batch_size)
    ]


def pooled(sums: Iterable[Any]) -> Any:
    """Add up pytrees of sums, in float64."""
    total = None
    for each in sums:
        wide = jax.tree.map(lambda a: np.asarray(a, np.float64), each)
        total = wide if total is None else jax.tree.map(np.add, total, wide)
    return total


def weights(sums: Sums) -> dict[str, float]:
    """The weight of each mean."""
    return {name: float(each.weight) for name, each in sums.items() if isinstance(each, Mean)}


def joined(parts: Sequence[Any]) -> Any:
    """Concatenate pytrees of `[N, ...]` arrays along N; shorter ones are padded with zeros."""

    def join(*arrays: np.ndarray) -> np.ndarray:
        widest = np.max([array.shape[1:] for array in arrays], axis=0).astype(int)
        return np.concatenate(
            [
                np.pad(a, [(0, 0), *((0, w - n) for w, n in zip(widest, a.shape[1:], strict=True))])
                for a in map(np.asarray, arrays)
            ]
        )

    return jax.tree.map(join, *parts)


def real_examples(generated: Sequences, batch: Batch) -> tuple[Sequences, Batch]:
    """Drop the examples that are padding as a whole."""
    mask = np.asarray(batch.inputs.lengths) > 0
    return jax.tree.map(lambda array: np.asarray(array)[mask], (generated, batch))
