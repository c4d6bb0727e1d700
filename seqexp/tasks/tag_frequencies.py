"""Baselines for a label a step: the most frequent ones of the training split.

Each takes a task's data and gives the accuracy on its test split; see `measured_baselines`.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from seqexp.types import Batch, Splits


def most_frequent_tag(splits: Splits) -> float:
    """The same label at every step: the most frequent one."""
    _, labels = _steps(splits.train.all_examples())
    _, asked = _steps(splits.held_out["test"])
    return float(np.mean(asked == np.bincount(labels).argmax()))


def most_frequent_tag_of_token(splits: Splits) -> float:
    """At each step the most frequent label of its token; of one that never came, of all."""
    tokens, labels = _steps(splits.train.all_examples())
    read, asked = _steps(splits.held_out["test"])
    counts = np.zeros((1 + max(tokens.max(), read.max()), 1 + max(labels.max(), asked.max())))
    np.add.at(counts, (tokens, labels), 1)
    best = np.where(counts.any(1), counts.argmax(1), np.bincount(labels).argmax())
    return float(np.mean(asked == best[read]))


def _steps(parts: Iterable[Batch] | None) -> tuple[np.ndarray, np.ndarray]:
    """The tokens of all real steps, and their labels."""
    assert parts is not None, "frequencies need training examples that have an end"
    steps = [
        (np.asarray(part.inputs.values)[mask], np.asarray(part.targets)[mask])
        for part in parts
        for mask in [np.asarray(part.inputs.mask)]
    ]
    tokens, labels = zip(*steps, strict=True)
    return np.concatenate(tokens), np.concatenate(labels)
