"""What became of a point."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from seqexp.runs.record import RUN, read_run
from seqexp.sweeps.groups import Planned
from seqexp.types import SeqexpError

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


def outcome_of(member: Planned, failed: str | None = None) -> Outcome:
    """The outcome of a member whose record is closed, or that failed for the reason given."""
    name, folder = member.info.name, member.directory
    if failed is not None:
        return Outcome(name, folder, "failed", failed, None)
    with suppress(SeqexpError):
        run = read_run(folder)
        if run is not None and (score := run.score) is not None:
            if run.status == "failed":
                return Outcome(name, folder, "failed", str(run.error), score.valid)
            if run.status == "diverged":
                detail = f"at step {run.diverged_step}"
                return Outcome(name, folder, "diverged", detail, score.valid)
            detail = f"{score.name} test {shown(score.test)}, valid {shown(score.valid)}"
            return Outcome(name, folder, "finished", detail, score.valid)
    return Outcome(name, folder, "failed", f"{folder / RUN} is gone or damaged", None)


def shown(value: float | None) -> str:
    """A score for people."""
    return "not finite" if value is None else f"{value:.4g}"
