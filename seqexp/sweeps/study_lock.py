"""One writer a study: two sweeps do not write the same records."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seqexp.types import SeqexpError


@contextmanager
def locked(study: Path) -> Iterator[None]:
    """Hold the study's folder, which is made where it is missing.

    Raises:
        SeqexpError: if it cannot be written, or another sweep holds it.
    """
    try:
        study.mkdir(parents=True, exist_ok=True)
        lock = open(study / ".lock", "w")
    except OSError as error:
        raise SeqexpError(
            f"cannot write to {study} ({error.strerror}); choose another folder with runs_dir=..."
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise SeqexpError(
                f"another sweep is writing to {study}; wait for it, or choose another study=..."
            ) from error
        yield
