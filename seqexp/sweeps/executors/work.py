"""What a job is told and what it tells: plain data in its folder."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from seqexp.runs.locks import Holder
from seqexp.runs.manifest import source_hash
from seqexp.runs.store import read_json, write_atomic, write_json_atomic
from seqexp.sweeps.outcome import Outcome
from seqexp.sweeps.point import Point
from seqexp.types import SeqexpError

WORK = "work.json"
STARTED = "started.json"
RESULT = "result.json"
LOG = "log.txt"
"""What a job prints, where nothing else keeps it."""


@dataclass(frozen=True)
class Work:
    """Points of one group, carried to where they train.

    Attributes:
        points: their widths solved, and named as the whole sweep names them.
        cpus: cores to train on; None for all there are.
        source: hash of the code that planned them.
        command: that called the sweep.
        folder: that it was called in; what is relative in a config is so to it.
        paths: where its modules are found.
    """

    points: tuple[Point, ...]
    cpus: int | None
    source: str
    command: tuple[str, ...]
    folder: str
    paths: tuple[str, ...]

    @classmethod
    def of(cls, points: Sequence[Point], cpus: int | None) -> Work:
        """The work on these points, as this process would do it."""
        paths = [str(Path(path or ".").absolute()) for path in sys.path]
        return cls(
            points=tuple(points),
            cpus=cpus,
            source=source_hash(),
            command=tuple(sys.argv),
            folder=os.getcwd(),
            paths=tuple(dict.fromkeys(paths)),
        )

    def write(self, job: Path) -> None:
        """Into the folder of a job, made here; for its owner alone: a config may hold what is not
        for others."""
        job.parent.mkdir(parents=True, exist_ok=True)
        job.mkdir(mode=0o700)
        # As Python writes it, infinities too.
        write_atomic(job / WORK, json.dumps(asdict(self)).encode("utf-8"))

    @classmethod
    def read(cls, job: Path) -> Work:
        """The work of a job. Raises SeqexpError where it is not there, or is of other code."""
        try:
            found = json.loads((job / WORK).read_bytes())
        except FileNotFoundError:
            raise SeqexpError(
                f"no {job / WORK} here: is it on a disk that all machines share?"
            ) from None
        if found["source"] != source_hash():
            raise SeqexpError(
                f"the sweep was planned by other code (source {found['source']}) than is installed "
                f"here ({source_hash()}): install the same on all machines"
            )
        lists = {key: tuple(found.pop(key)) for key in ("command", "paths")}
        points = tuple(Point(**point) for point in found.pop("points"))
        return cls(points=points, **lists, **found)


def last_line(text: str) -> str:
    """The last line with something on it, of what was printed."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def write_started(job: Path) -> None:
    """This process works on a job."""
    write_json_atomic(job / STARTED, {"by": Holder.this()._asdict()})


def write_result(job: Path, outcomes: Sequence[Outcome] = (), error: str | None = None) -> None:
    """What became of the points of a job, in their order; or why there was nothing to be had."""
    told = [{**asdict(outcome), "directory": str(outcome.directory)} for outcome in outcomes]
    write_json_atomic(job / RESULT, {"outcomes": told, "error": error})


@dataclass(frozen=True)
class Result:
    """What became of a job that came to its end.

    Attributes:
        outcomes: of its points, in their order; none where `error` says why.
        error: of the job as a whole.
    """

    outcomes: tuple[Outcome, ...]
    error: str | None

    @classmethod
    def read(cls, job: Path) -> Result | None:
        """The result in a job's folder; None where there is none (yet), or none to be read."""
        with suppress(SeqexpError, KeyError, TypeError):
            if (found := read_json(job / RESULT)) is not None:
                told = [
                    {**each, "directory": Path(each["directory"])} for each in found["outcomes"]
                ]
                return cls(tuple(Outcome(**each) for each in told), found["error"])
        return None
