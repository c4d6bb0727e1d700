"""A classical baseline for sound: the mean and deviation of its frames, and a linear classifier."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from seqexp.types import Batch, Splits

STRENGTHS = (0.01, 0.1, 1.0)
"""Inverse strengths of regularisation, C, among which validation chooses."""


def frame_statistics(splits: Splits) -> float:
    """The accuracy on test of logistic regression on each recording's statistics."""
    parts = splits.train.all_examples()
    assert parts is not None
    features, labels = _examples(parts)
    valid, test = (_examples(splits.held_out[name]) for name in ("valid", "test"))
    scores = []
    for C in STRENGTHS:
        fitted = linear_classifier(features, labels, C)
        scores.append((float(fitted.score(*valid)), float(fitted.score(*test))))
    return max(scores, key=lambda score: score[0])[1]


def linear_classifier(features: np.ndarray, labels: np.ndarray, C: float) -> Any:
    """Logistic regression on standardized `[N, D]` features, fitted."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits

    model = make_pipeline(StandardScaler(), LogisticRegression(C=C, tol=1e-3, max_iter=2000))
    with threadpool_limits(1):  # Several slow each other down.
        return model.fit(features, labels)


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
