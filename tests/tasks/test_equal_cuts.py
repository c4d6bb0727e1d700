"""The baseline of equal cuts, where it is right and where it can't be."""

from __future__ import annotations

import numpy as np

from seqexp.data.streams import Examples
from seqexp.tasks.equal_cuts import _pieces, equal_cuts
from seqexp.types import Batch, Sequences, Splits

N, MOST = 40, 3


def splits_of(frames_a_label) -> Splits:
    """Labels 0 to 2, each a level of one feature for some frames."""

    def split(seed: int) -> Batch:
        rng = np.random.default_rng(seed)
        values, labels = np.zeros((N, 12 * MOST, 1), np.float32), np.zeros((N, MOST), np.int32)
        lengths, counts = np.zeros(N, np.int32), rng.integers(1, MOST + 1, N).astype(np.int32)
        for row, count in enumerate(counts):
            labels[row, :count] = rng.integers(0, 3, count)
            levels = np.repeat(labels[row, :count], frames_a_label(rng, count))
            lengths[row] = len(levels)
            values[row, : len(levels), 0] = levels + rng.normal(0, 0.1, len(levels))
        return Batch(Sequences(values, lengths), Sequences(labels, counts))  # type: ignore[arg-type]

    return Splits(Examples(split(0)), {"valid": (split(1),), "test": (split(2),)})


def test_labels_of_one_length_are_found():
    assert equal_cuts(splits_of(lambda rng, count: 6)) < 0.02


def test_labels_of_any_length_are_not():
    assert equal_cuts(splits_of(lambda rng, count: rng.integers(1, 13, count))) > 0.1


def test_pieces_hold_all_frames_in_their_order():
    frames = np.arange(7.0)[:, None]
    np.testing.assert_allclose(_pieces(frames, 3)[:, 0], [0.5, 2.5, 5])
    assert _pieces(frames[:2], 3).shape == (3, 2)
