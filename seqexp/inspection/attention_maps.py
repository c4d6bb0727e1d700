"""Attention as pictures: which steps of its source each step of an answer attends to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from seqexp.types import Batch

MOST, CELL = 4, 8


def attention_maps(weights: np.ndarray, batch: Batch) -> Mapping[str, np.ndarray]:
    """A picture of each of the first 4 examples, "attention_1" and so on, in their order.

    Steps of the answer follow each other from top to bottom, row u for the step that reads
    y_0 .. y_{u-1} of the true answer and writes y_u, its end last; steps of the source from left to
    right. Both are cut to their true lengths, and each weight is a square of 8 by 8 pixels.

    Args:
        weights: `[B, U, T]`, from 0 to 1.
        batch: numpy, with a prefix.

    Returns:
        By name, `[8 u, 8 t]` from 0, white, to 1, black; none of an example that is padding.

    >>> from seqexp.types import Sequences
    >>> batch = Batch(Sequences(np.zeros((1, 3)), np.array([2])), (),
    ...               Sequences(np.zeros((1, 2)), np.array([1])))
    >>> maps = attention_maps(np.array([[[0.25, 0.75, 0.0], [0.5, 0.5, 0.0]]]), batch)
    >>> maps["attention_1"][::8, ::8].tolist(), maps["attention_1"].shape
    ([[0.25, 0.75]], (8, 16))
    """
    assert batch.prefix is not None
    maps = {}
    lengths = zip(batch.prefix.lengths, batch.inputs.lengths, strict=True)
    for n, (rows, columns) in enumerate(list(lengths)[:MOST]):
        if rows and columns:
            cut = np.asarray(weights[n, :rows, :columns], np.float32)
            maps[f"attention_{n + 1}"] = cut.repeat(CELL, axis=0).repeat(CELL, axis=1)
    return maps


def attention_tokens(
    spelled: Sequence[tuple[Sequence[str], Sequence[str]]],
) -> Mapping[str, str]:
    """What the columns and rows of each map are, "attention_1_tokens" and so on, in their order.

    Args:
        spelled: the tokens of the source and of the answer, of each example.

    >>> print(attention_tokens([(["ein", "Hund"], ["a", "dog", "</s>"])])["attention_1_tokens"])
    attention_1
    from left to right  ein Hund
    from top to bottom  a dog </s>
    """
    return {
        f"attention_{n}_tokens": (
            f"attention_{n}\n"
            f"from left to right  {' '.join(columns)}\n"
            f"from top to bottom  {' '.join(rows)}"
        )
        for n, (columns, rows) in enumerate(spelled[:MOST], start=1)
        if rows and columns
    }
