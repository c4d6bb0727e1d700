"""Which files of a study may be served."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from pathlib import Path


def is_inside(path: Path, folder: Path) -> bool:
    """Whether a path lies in a folder once all symbolic links are followed."""
    try:
        return path.resolve(strict=True).is_relative_to(folder.resolve(strict=True))
    except (OSError, RuntimeError, ValueError):
        return False


def regular_file(study: Path, run: Path, path: str, folders: Sequence[str]) -> Path | None:
    """A file of a run, without symbolic links; None where it is none that may be served.

    Args:
        study: outside of which no link may lead.
        run: the run's folder.
        path: of the file within it, with slashes.
        folders: of the run, whose own files may be served.
    """
    folder, _, name = path.rpartition("/")
    if folder not in folders or name in ("", ".", "..") or set(name) & set("\\\0"):
        return None
    file = run / folder / name
    if not is_inside(file, study):
        return None
    found = file.resolve()
    # A pipe would be waited for.
    return found if stat.S_ISREG(found.stat().st_mode) else None
