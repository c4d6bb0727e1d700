"""A folder of results that is replaced as a whole: the old one stands until the new one is done."""

from __future__ import annotations

import contextlib
import shutil
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

from seqexp.types import SeqexpError

ATTEMPTS = 5
"""Others may put theirs there at the same time, so many times."""

FORGOTTEN = 3600.0
"""Seconds after which what a killed process left beside a folder is deleted."""


@contextlib.contextmanager
def replaced(folder: Path, ours: Sequence[str], remedy: str) -> Iterator[Path]:
    """A new folder beside another, to write into; when all is written it takes its place.

    Whatever goes wrong until then, the old folder stays as it is. Files in it that are not ours are
    kept.

    Args:
        folder: what to replace, if it is there.
        ours: patterns of the names of the files that the new folder holds in place of the old.
        remedy: what to do where it can not be written.

    Raises:
        SeqexpError: it can not be written.
    """
    folder = folder.resolve()
    new, old = (folder.with_name(f".{folder.name}-{uuid.uuid4().hex[:8]}") for _ in range(2))
    try:
        if folder.exists() and not folder.is_dir():
            raise SeqexpError(f"cannot write to {folder} (it is a file); {remedy}")
        new.mkdir(parents=True)
        _forget(folder)
        yield new
        _keep(folder, new, ours)
        _take_place(folder, new, old)
    except OSError as error:
        why = error.strerror or str(error)
        raise SeqexpError(f"cannot write to {folder} ({why}); {remedy}") from error
    finally:
        if not folder.exists():
            with contextlib.suppress(OSError):
                old.rename(folder)
        for rest in (new, old):
            shutil.rmtree(rest, ignore_errors=True)


def _keep(folder: Path, new: Path, ours: Sequence[str]) -> None:
    """Copy what is not ours, for it would go with the old folder."""
    for path in folder.iterdir() if folder.exists() else ():
        if not any(path.match(pattern) for pattern in ours):
            copy = shutil.copytree if path.is_dir() and not path.is_symlink() else shutil.copy2
            copy(path, new / path.name)


def _take_place(folder: Path, new: Path, old: Path) -> None:
    for attempt in range(ATTEMPTS):
        with contextlib.suppress(FileNotFoundError):
            folder.rename(old)
        try:
            new.rename(folder)
            return
        except OSError:
            if not folder.exists() or attempt == ATTEMPTS - 1:
                raise
        shutil.rmtree(old, ignore_errors=True)  # another process was faster


def _forget(folder: Path) -> None:
    """Delete what processes left that were killed while they wrote."""
    for path in folder.parent.glob(f".{folder.name}-????????"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > FORGOTTEN and folder.exists():
                shutil.rmtree(path, ignore_errors=True)
