"""Cleanup that still runs when a process ends at once, without its exit functions."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

_endings: list[Callable[[], object]] = []
_sudden: list[bool] = []


def add(do: Callable[[], object]) -> None:
    """Do something quick if the process ends at once, in any thread, wherever the main one is."""
    _endings.append(do)


def remove(do: Callable[[], object]) -> None:
    """Remove it again."""
    _endings.remove(do)


def end() -> None:
    """Run all of it, last added first; the process must end after this."""
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
