"""Piano rolls as one picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

GAP, FAINT = 2, 0.2


def piano_rolls(rolls: Sequence[np.ndarray]) -> np.ndarray:
    """Rolls one below the other: time from left to right, high keys at the top, a line between two.

    Args:
        rolls: `[t, K]` from 0, off, to 1, on.

    Returns:
        `[H, W]` from 0, white, to 1, black; W the longest t.

    >>> piano_rolls([np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[1.0, 0.0]])]).tolist()
    [[0.0, 1.0], [1.0, 0.0], [0.2, 0.2], [0.2, 0.2], [0.0, 0.0], [1.0, 0.0]]
    """
    widest = max(map(len, rolls))
    parts = []
    for roll in rolls:
        upright = np.pad(roll.T[::-1], [(0, 0), (0, widest - len(roll))])
        parts += [np.full((GAP, widest), FAINT), upright]
    return np.concatenate(parts[1:])
