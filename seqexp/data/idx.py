"""The idx files of MNIST: arrays with their type and shape in front."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path

import numpy as np

from seqexp.types import SeqexpError

TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
"""Dtypes by the third byte of a file; numbers are big-endian."""


def read_idx(path: Path | str) -> np.ndarray:
    """An idx file, gzipped where its name ends in `.gz`.

        0  0  type  n    size_1 .. size_n, 4 bytes each    values, the last dimension fastest

    The format is specified at the end of LeCun's page of MNIST,
    https://web.archive.org/web/20220331130319/http://yann.lecun.com/exdb/mnist.

    Args:
        path: of the file.

    Returns:
        An array of the file's shape and type, in the byte order of this machine.

    Raises:
        SeqexpError: the file is missing, no idx file, or has fewer or more bytes than it says.
    """
    path = Path(path)
    content = _content(path)
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in TYPES:
        raise SeqexpError(
            f"{path} is no idx file: it begins with {content[:4].hex(' ') or 'nothing'}"
        )
    dtype, begin = np.dtype(TYPES[content[2]]), 4 + 4 * content[3]
    shape = tuple(np.frombuffer(content[4:begin], ">u4", len(content[4:begin]) // 4).tolist())
    expected = begin + math.prod(shape) * dtype.itemsize
    if len(shape) < content[3] or len(content) != expected:
        raise SeqexpError(
            f"{path} has {len(content):,} bytes, but its head asks for {expected:,}: it is cut off "
            "or damaged, get it again"
        )
    values = np.frombuffer(content, dtype, offset=begin).reshape(shape)
    return values.astype(dtype.newbyteorder("="))


def _content(path: Path) -> bytes:
    if not path.is_file():
        raise SeqexpError(f"{path} is not there, or is no file: correct the path")
    raw = path.read_bytes()
    if path.suffix != ".gz":
        return raw
    try:
        return gzip.decompress(raw)
    except (OSError, EOFError, zlib.error) as error:
        raise SeqexpError(f"{path} can't be unpacked ({error}): get it again") from error
