"""A note of each attempt to train a run, on disk before it starts: what it leaves if it dies.

An attempt that ends, well or badly, removes its note. A process that is killed, by the system for
want of memory, by a scheduler or by its user, can't: the next one finds the note, and knows.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from seqexp.errors import SeqexpError
from seqexp.runs.store import read_json, write_json_atomic

NOTE = "attempt.json"


@dataclass(frozen=True)
class Attempt:
    """One attempt.

    Attributes:
        step: of the checkpoint that it started from.
        died: attempts before it that died and had not come further than that.
        during: what it was doing.
        memory: bytes that could be had then; None where that is not known.
    """

    step: int
    died: int
    during: str
    memory: int | None


def read(directory: Path) -> Attempt | None:
    """The attempt that died in a run's folder, if the last one did."""
    try:
        return Attempt(**(read_json(directory / NOTE) or {}))
    except (SeqexpError, TypeError):
        return None  # None, or none that can be trusted.


def died_since(last: Attempt | None, step: int) -> int:
    """How many attempts in a row have died and not brought a checkpoint later than `step`."""
    return 0 if last is None or step > last.step else last.died + 1


def write(directory: Path, attempt: Attempt) -> None:
    """Note what is being attempted, on the disk before this returns."""
    write_json_atomic(directory / NOTE, asdict(attempt))


def remove(directory: Path) -> None:
    """The attempt has ended."""
    (directory / NOTE).unlink(missing_ok=True)
