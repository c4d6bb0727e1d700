"""Where the files of data sets lie: a folder that the user names, and the user's cache."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from seqexp.data.cache import cache_folder
from seqexp.data.source import File

DATA_DIR = "SEQEXP_DATA_DIR"


def folders() -> tuple[Path, ...]:
    """Where files are looked for, in this order: the folder that DATA_DIR names, the cache."""
    cache = cache_folder()
    named = os.environ.get(DATA_DIR)
    return (Path(named).expanduser(), cache) if named else (cache,)


def found(file: File) -> Path | None:
    """Where a file lies, whatever is in it; None where it is not here."""
    places = (folder / file.path for folder in folders())
    return next((place for place in places if place.is_file()), None)


def target(file: File) -> Path:
    """Where to put a file: in the first folder that can be written to, or the last of all."""
    places = [folder / file.path for folder in folders()]
    return next((place for place in places if _can_write(place)), places[-1])


def problem(place: Path, file: File) -> str | None:
    """What is wrong with the bytes at a place, None where they are the file's.

    All of them are hashed each time: 3,000 recordings take a tenth of a second, and no file that
    has changed is trusted for its date.
    """
    try:
        with place.open("rb") as opened:
            sha256 = hashlib.file_digest(opened, "sha256").hexdigest()
            size = opened.tell()
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    if sha256 == file.sha256:
        return None
    sizes = "" if size == file.size else f" ({size:,} bytes, expected {file.size:,})"
    return f"is corrupt: its sha256 begins {sha256[:12]}, expected {file.sha256[:12]}{sizes}"


def _can_write(place: Path) -> bool:
    nearest = next(folder for folder in place.absolute().parents if folder.exists())
    return nearest.is_dir() and os.access(nearest, os.W_OK)
