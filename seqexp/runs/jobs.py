"""The jobs that train the runs of a study, as who submits them writes them down."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from seqexp.runs.store import Damaged, read_json, write_json_atomic

FORMAT = 1
"""Of a job's file; another number is another version's, which is not read."""

JOBS = ".jobs"
"""The folder of a study's jobs."""

Executor = Literal["submitit", "ray", "processes"]
State = Literal["submitted", "ended", "failed"]


@dataclass(frozen=True)
class Job:
    """A group of runs that was handed to an executor.

    Attributes:
        key: names it, and its file.
        executor: which handed it over.
        folder: the name of its own folder, beside the file: each time that it is submitted another.
        handle: by which the executor knows it.
        group: the name, for people, of the group that it trains.
        runs: their ids.
        submitted_at: the time, in ISO format.
        tries: how often it was submitted.
        state: how far it is, as far as who submitted it knows.
        why: it failed; or what it waited for other than its turn, when that was last asked; None
            for neither.
    """

    key: str
    executor: Executor
    folder: str
    handle: str
    group: str
    runs: tuple[str, ...]
    submitted_at: str
    tries: int
    state: State
    why: str | None


def write(study: Path, job: Job) -> None:
    """Note a job, on the disk before this returns, in place of what was noted of it before.

    Raises OSError where the study can't be written.
    """
    (study / JOBS).mkdir(parents=True, exist_ok=True)
    value = {"format": FORMAT, **asdict(job), "runs": list(job.runs)}
    write_json_atomic(study / JOBS / f"{job.key}.json", value, shared=True)


def read(study: Path) -> list[Job]:
    """The jobs of a study in the order in which they were submitted; a damaged file is none."""
    jobs: list[Job] = []
    with suppress(OSError):
        for path in (study / JOBS).iterdir():
            # A name that begins with a dot is of a file that is being written.
            if path.suffix == ".json" and not path.name.startswith("."):
                jobs += filter(None, [read_one(study, path.stem)])
    return sorted(jobs, key=lambda job: (job.submitted_at, job.key))


def read_one(study: Path, key: str) -> Job | None:
    """The job with this key; None where there is none, or its file is damaged."""
    with suppress(OSError, Damaged, KeyError, TypeError, ValueError):
        return _job(read_json(study / JOBS / f"{key}.json") or {})
    return None


def _job(value: Mapping[str, Any]) -> Job:
    """Raises one of Python's own errors for what `write` would not have written."""
    if value["format"] != FORMAT or not isinstance(value["runs"], list):
        raise ValueError(value)
    kept: dict[str, Any] = {key: value[key] for key in Job.__dataclass_fields__}
    kept["runs"] = tuple(kept["runs"])
    job = Job(**kept)
    texts = job.key, job.folder, job.handle, job.group, job.submitted_at, *job.runs
    if not all(isinstance(text, str) for text in texts) or not isinstance(job.tries, int):
        raise ValueError(value)
    if job.executor not in get_args(Executor) or job.state not in get_args(State):
        raise ValueError(value)
    if not isinstance(job.why, str | None):
        raise ValueError(value)
    return job
