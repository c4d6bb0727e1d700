"""A classical baseline for strings of spoken labels: cut evenly, and name each piece."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from seqexp.tasks.frame_statistics import (
    STRENGTHS,
    linear_classifier,
    statistics_over_time,
)
from seqexp.tasks.label_errors import label_error_rate, label_lists
from seqexp.types import Batch, Splits


class _Strings(NamedTuple):
    """The `[t, D]` frames of each string, and its labels."""

    frames: list[np.ndarray]
    labels: list[list[int]]


def equal_cuts(splits: Splits) -> float:
    """The label error rate on test of logistic regression on equal pieces of each string.

    A string of t frames is cut into round(t / m) pieces, at least one, with m the frames a label in
    training; the classifier reads the mean and deviation of a piece over time. It is trained on
    pieces of the training strings, cut into as many as they have labels.
    """
    parts = splits.train.all_examples()
    assert parts is not None
    train = _strings(parts)
    valid, test = (_strings(splits.held_out[name]) for name in ("valid", "test"))
    features = np.concatenate(
        [_pieces(own, len(labels)) for own, labels in zip(*train, strict=True)]
    )
    labels = np.concatenate(train.labels)
    frames_a_label = sum(map(len, train.frames)) / len(labels)

    def errors(fitted: Any, strings: _Strings) -> float:
        counts = [max(1, round(len(own) / frames_a_label)) for own in strings.frames]
        cut = [_pieces(own, count) for own, count in zip(strings.frames, counts, strict=True)]
        found = np.split(fitted.predict(np.concatenate(cut)), np.cumsum(counts)[:-1])
        return label_error_rate([each.tolist() for each in found], strings.labels)

    scores = []
    for C in STRENGTHS:
        fitted = linear_classifier(features, labels, C)
        scores.append((errors(fitted, valid), errors(fitted, test)))
    return min(scores, key=lambda score: score[0])[1]


def _pieces(frames: np.ndarray, count: int) -> np.ndarray:
    """`[count, 2 D]` statistics of pieces that differ by a frame at most; of at least one each."""
    ends = np.linspace(0, len(frames), count + 1).astype(int)
    return np.stack(
        [
            statistics_over_time(frames[min(start, len(frames) - 1) : max(end, start + 1)])
            for start, end in zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True)
        ]
    )


def _strings(parts: Iterable[Batch]) -> _Strings:
    found = _Strings([], [])
    for part in parts:
        values, lengths = np.asarray(part.inputs.values), np.asarray(part.inputs.lengths).tolist()
        found.frames.extend(row[:length] for row, length in zip(values, lengths, strict=True))
        found.labels.extend(label_lists(part.targets))
    return found
