"""Features of recordings as one picture."""

from __future__ import annotations

import numpy as np

from seqexp.types import Sequences

WIDEST = 2.5
"""Standard deviations from the mean that white and black stand for."""
GAP = 2


def spectrogram_picture(inputs: Sequences) -> np.ndarray:
    """Recordings one below the other: time from left to right, the first feature at the bottom.

    Args:
        inputs: `[B, T, D]` standardized features, in numpy.

    Returns:
        `[B (D + 2), T]` from 0, white, to 1, black, white where a recording has ended.
    """
    values, mask = np.asarray(inputs.values), np.asarray(inputs.mask)
    dark = np.clip((values + WIDEST) / (2 * WIDEST), 0, 1) * mask[..., None]
    upright = dark.transpose(0, 2, 1)[:, ::-1]
    return np.pad(upright, [(0, 0), (0, GAP), (0, 0)]).reshape(-1, values.shape[1])
