"""A classical baseline for sound: the mean and deviation of its frames, and a linear classifier."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from seqexp.types import Batch, Splits

STRENGTHS = (0.001, 0.01, 0.1, 1.0)
"""Inverse strengths of regularisation, C, among which validation chooses."""


def frame_statistics(splits: Splits) -> float:
    """The accuracy on test of logistic regression on each recording's statistics."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    parts = splits.train.all_examples()
    assert parts is not None
    features, labels = _examples(parts)
    valid, test = (_examples(splits.held_out[name]) for name in ("valid", "test"))
    scores = []
    for C in STRENGTHS:
        fitted = make_pipeline(StandardScaler(), LogisticRegression(C=C, tol=1e-3, max_iter=2000))
        fitted.fit(features, labels)
        scores.append((float(fitted.score(*valid)), float(fitted.score(*test))))
    return max(scores, key=lambda score: score[0])[1]


def statistics_over_time(frames: np.ndarray) -> np.ndarray:
    """`[t, D]` frames to their `[2 D]` means and standard deviations.

    >>> statistics_over_time(np.array([[1.0, 5.0], [3.0, 5.0]])).tolist()
    [2.0, 5.0, 1.0, 0.0]
    """
    return np.concatenate([frames.mean(axis=0), frames.std(axis=0)])


def _examples(parts: Iterable[Batch]) -> tuple[np.ndarray, np.ndarray]:
    features, labels = [], []
    for part in parts:
        values, lengths = np.asarray(part.inputs.values), np.asarray(part.inputs.lengths)
        features += [
            statistics_over_time(row[:length])
            for row, length in zip(values, lengths.tolist(), strict=True)
        ]
        labels.append(np.asarray(part.targets))
    return np.stack(features), np.concatenate(labels)
