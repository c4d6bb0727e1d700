"""What became of a point."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Status = Literal["finished", "skipped", "diverged", "failed", "elsewhere"]


@dataclass(frozen=True)
class Outcome:
    """How a point of a sweep ended.

    Attributes:
        name: readable, for example "lstm adding lr=0.003 seed 0".
        directory: of its record.
        status: "skipped" is a run whose record was finished before, "elsewhere" one that another
            process trains.
        detail: for people: the scores, or the reason.
        score: the best validation score; None where there is none.
    """

    name: str
    directory: Path
    status: Status
    detail: str
    score: float | None
