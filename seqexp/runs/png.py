"""Pictures as PNG files."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from seqexp.runs.store import write_atomic


def pixels(picture: np.ndarray) -> np.ndarray:
    """`[H, W]` floats from 0, white, to 1, black, as uint8 grey values; others are clipped, and
    what is no number is white."""
    dark = np.clip(np.nan_to_num(picture, nan=0.0), 0, 1)
    return np.round(255 * (1 - dark)).astype(np.uint8)


def write(path: Path, picture: np.ndarray) -> None:
    """Write a picture whole or not at all."""
    from PIL import Image

    path.parent.mkdir(exist_ok=True)
    file = io.BytesIO()
    Image.fromarray(pixels(picture)).save(file, "PNG")
    write_atomic(path, file.getvalue())
