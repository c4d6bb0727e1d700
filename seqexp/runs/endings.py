"""What is still done where a process ends at once, running none of its clearing up."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

_endings: list[Callable[[], object]] = []
_sudden: list[bool] = []


def add(do: Callable[[], object]) -> None:
    """Do something quick if the process ends at once, in any thread, wherever the main one is."""
    _endings.append(do)


def remove(do: Callable[[], object]) -> None:
    """Do it no more."""
    _endings.remove(do)


def end() -> None:
    """Do it all, the last first; the process must end behind this."""
    for do in reversed(list(_endings)):
        # Whatever goes wrong, the rest is worth doing.
        with suppress(Exception):
            do()


def make_sudden() -> None:
    """Let the process end without exit functions: one of them would never return."""
    _sudden.append(True)


def is_sudden() -> bool:
    """Whether exit functions must not be waited for."""
    return bool(_sudden)
