"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

FORGOTTEN = 3600.0
"""Seconds after which what a killed process left half-written is deleted."""


@contextmanager
def placed(target: Path) -> Iterator[BinaryIO]:
    """A file to write, which gets its name when the context ends, and is deleted if it raises.

    It is made in the folder of its target, so that the renaming is atomic.

    Raises:
        OSError: it cannot be written.
    """
    with temporary(target) as file:
        yield file
        file.close()  # Writes what is buffered: a full disk shows here.
        os.replace(file.name, target)


@contextmanager
def temporary(beside: Path) -> Iterator[BinaryIO]:
    """A file to write and to read in the folder of another, deleted when the context ends."""
    beside.parent.mkdir(parents=True, exist_ok=True)
    place = beside.with_name(f".{beside.name}-{uuid.uuid4().hex[:8]}.part")
    file = place.open("x+b")
    try:
        yield file
    finally:
        with suppress(OSError):  # What is buffered cannot be written: the disk is full.
            file.close()
        place.unlink(missing_ok=True)


def forget(folder: Path) -> None:
    """Delete what was left half-written in a folder by processes that were killed."""
    for path in folder.glob(".*-????????.part"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > FORGOTTEN:
                path.unlink()
