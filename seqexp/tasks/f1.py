"""Macro F1: the mean over classes of the harmonic mean of precision and recall."""

from __future__ import annotations

from collections.abc import Iterable

import jax.numpy as jnp
import numpy as np

from seqexp.types import Array, Batch, Splits, TaskSpec


def confusion(logits: Array, targets: Array, mask: Array) -> Array:
    """`[C, C]` counts: how often class i, a row, is taken for class j.

    Args:
        logits: `[..., C]`.
        targets: `[...]` integers.
        mask: `[...]`, True where an answer counts.
    """
    classes = logits.shape[-1]
    said = jnp.argmax(jnp.where(mask[..., None], logits, 0), -1)
    cells = jnp.where(mask, targets * classes + said, classes * classes)
    counts = jnp.bincount(cells.reshape(-1), length=classes * classes + 1)[:-1]
    return counts.reshape(classes, classes).astype(jnp.float32)


def macro_f1(counts: np.ndarray) -> float:
    """mean over c of 2 TP_c / (2 TP_c + FP_c + FN_c), over classes that occur or are answered.

    Args:
        counts: `[C, C]` of `confusion`, summed over a split; NaN where they are all 0.

    >>> round(macro_f1(np.array([[2, 0], [1, 1]])), 4)
    0.7333
    """
    right, both = np.diag(counts), counts.sum(0) + counts.sum(1)
    seen = both > 0
    return float(np.mean(2 * right[seen] / both[seen])) if seen.any() else float("nan")


def majority_f1(splits: Splits, spec: TaskSpec) -> float:
    """The macro F1 on the test split of always answering the most frequent class of training.

    Args:
        splits: with labels.
        spec: of the task.
    """
    train = _labels(spec, splits.train.all_examples() or ())
    test = _labels(spec, splits.held_out["test"])
    counts = np.zeros((spec.output_size, spec.output_size))
    counts[:, np.bincount(train).argmax()] = np.bincount(test, minlength=spec.output_size)
    return macro_f1(counts)


def _labels(spec: TaskSpec, parts: Iterable[Batch]) -> np.ndarray:
    return np.concatenate([np.asarray(part.targets)[spec.answer_mask(part)] for part in parts])
