"""Answers of classification as text, for people to look at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seqexp.types import Batch

LIKELIEST = 3


def shown_classes(batch: Batch, outputs: np.ndarray, names: Sequence[str]) -> str:
    """A line an example: its length, its class, and the likeliest classes with probabilities.

    Args:
        batch: with one label a sequence, in numpy.
        outputs: `[B, C]` logits.
        names: of the C classes.

    >>> from seqexp.types import Sequences
    >>> batch = Batch(Sequences(np.zeros((2, 9, 1)), np.array([9, 7])), np.array([1, 0]))
    >>> print(shown_classes(batch, np.log([[0.25, 0.75], [0.2, 0.8]]), ["one", "two"]))
    9 steps of two: said two 0.75, one 0.25
    7 steps of one: said two 0.80, one 0.20
    """
    logits = np.asarray(outputs, np.float64)
    odds = np.exp(logits - logits.max(axis=-1, keepdims=True))
    probabilities = odds / odds.sum(axis=-1, keepdims=True)
    lines = []
    for length, label, own in zip(batch.inputs.lengths, batch.targets, probabilities, strict=True):
        best = np.argsort(-own, kind="stable")[:LIKELIEST]
        said = ", ".join(f"{names[c]} {own[c]:.2f}" for c in best)
        lines.append(f"{int(length)} steps of {names[int(label)]}: said {said}")
    return "\n".join(lines)
