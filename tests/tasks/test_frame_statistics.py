"""The classical baseline of sound: what it can tell apart, what it can't, and its choice of C."""

from __future__ import annotations

import numpy as np

from seqexp.data.streams import Examples
from seqexp.tasks.frame_statistics import frame_statistics
from seqexp.types import Batch, Sequences, Splits

N, T = 60, 9


def splits_of(make) -> Splits:
    """Splits of two classes of sequences of one feature; beyond their length all are the same."""

    def split(seed: int) -> Batch:
        rng = np.random.default_rng(seed)
        labels = rng.integers(0, 2, N, np.int32)
        lengths = rng.integers(4, T + 1, N).astype(np.int32)
        values = np.full((N, T, 1), 100.0, np.float32)
        for row, (label, length) in enumerate(zip(labels, lengths, strict=True)):
            values[row, :length, 0] = make(rng, label, length)
        return Batch(Sequences(values, lengths), labels)  # type: ignore[arg-type]

    return Splits(Examples(split(0)), {"valid": (split(1),), "test": (split(2),)})


def test_means_and_deviations_are_told_apart_whatever_the_padding():
    assert frame_statistics(splits_of(lambda rng, label, n: rng.normal(3 * label, 1, n))) > 0.95
    quiet_or_loud = splits_of(lambda rng, label, n: rng.normal(0, 1 + 5 * label, n))
    assert frame_statistics(quiet_or_loud) > 0.9


def test_the_order_of_frames_is_not():
    def rising_or_falling(rng, label, n):
        return np.sort(rng.normal(0, 1, n))[:: 1 - 2 * int(label)]

    # Of 60 fair guesses 0.5 with a deviation of 0.065.
    assert abs(frame_statistics(splits_of(rising_or_falling)) - 0.5) < 0.2
