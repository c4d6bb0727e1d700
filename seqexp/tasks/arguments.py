"""Checks of what a task is constructed with, before any data is read."""

from __future__ import annotations

from seqexp.types import SeqexpError


def require_count(task: str, name: str, value: int, minimum: int) -> None:
    """Raises SeqexpError unless `value` is an integer of at least `minimum`."""
    if not isinstance(value, int) or value < minimum:
        raise SeqexpError(f"{task}: {name} must be an integer >= {minimum}, but is {value!r}")
