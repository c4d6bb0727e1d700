"""Examples as text: what was read, the right answers, and what the model said."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seqexp.types import Array, Batch


def shown_answers(
    batch: Batch,
    outputs: np.ndarray,
    asked: Array,
    symbols: Sequence[str],
    answers: Sequence[str],
) -> str:
    """Each example in three lines; answers of steps stand below their steps.

    Args:
        batch: of tokens, with labels, in numpy.
        outputs: `[B, C]` or `[B, T, C]`.
        asked: `[B]` or `[B, T]`, where an answer counts.
        symbols: how each token is written.
        answers: how each label is.

    >>> from seqexp.types import Sequences
    >>> batch = Batch(Sequences(np.array([[0, 1, 1]]), np.array([3])), np.array([[0, 1, 0]]))
    >>> outputs = np.eye(2)[np.array([[0, 1, 1]])]
    >>> print(shown_answers(batch, outputs, np.array([[True, True, True]]), "ab", ["no", "yes"]))
    read    a  b   b
    answer  no yes no
    said    no yes yes
    """
    said, (values, lengths) = outputs.argmax(-1), batch.inputs
    mask, right = np.asarray(asked), np.asarray(batch.targets)
    examples = []
    for n, length in enumerate(np.asarray(lengths).tolist()):
        read = [symbols[token] for token in np.asarray(values)[n, :length]]
        rows = [["read", *read]]
        for name, labels in (("answer", right), ("said", said)):
            if mask.ndim == 1:
                rows.append([name, answers[labels[n]]])
            else:
                told = zip(labels[n, :length], mask[n, :length], strict=True)
                rows.append([name, *(answers[label] if known else "" for label, known in told)])
        examples.append(_in_columns(rows) if mask.ndim > 1 else _in_lines(rows))
    return "\n\n".join(examples)


def _in_lines(rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"{name:6}  {' '.join(words)}" for name, *words in rows)


def _in_columns(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for name, *words in rows:
        cells = (f"{word:{width}}" for word, width in zip(words, widths[1:], strict=True))
        lines.append(f"{name:6}  {' '.join(cells)}".rstrip())
    return "\n".join(lines)
