"""The chunks of a WAV file: whether all that they promise is there."""

from __future__ import annotations

import struct
from pathlib import Path

UNKNOWN = 0xFFFFFFFF
"""The size that a program writes which doesn't know it yet, to a pipe; RF64 has it elsewhere."""


def missing_bytes(path: Path) -> int:
    """How many bytes of sound a WAV file promises beyond its end; 0 for any other file.

    libsndfile reads what is left of a WAV file that was cut off, and says nothing.

    A RIFF file is `RIFF`, a size, `WAVE`, and chunks, each of four letters, its size in bytes and
    as many bytes, filled up to an even number; integers are little-endian
    (https://www.mmsp.ece.mcgill.ca/Documents/AudioFormats/WAVE/WAVE.html).
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(12)
        if start[:4] != b"RIFF" or start[8:] != b"WAVE":
            return 0
        while len(header := file.read(8)) == 8:
            name, promised = struct.unpack("<4sI", header)
            if name == b"data":
                return 0 if promised == UNKNOWN else max(0, file.tell() + promised - size)
            file.seek(promised + promised % 2, 1)
    return 0
