"""How far a study is: what became of each run of it, from the records alone. Never writes."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

from seqexp.errors import SeqexpError
from seqexp.runs import attempts, jobs, plans
from seqexp.runs.jobs import Job
from seqexp.runs.locks import LOCKS, Holder, holder_of
from seqexp.runs.manifest import Machine, machine_of
from seqexp.runs.plans import PlannedRun
from seqexp.runs.schema import MANIFEST, METRICS, RUN, TIMING, Malformed, Run, is_number
from seqexp.runs.store import parse_lines, read_json

Status = Literal["finished", "diverged", "running", "waiting", "failed", "unreadable"]
"""How far a run is. One that is "waiting" is planned, or was interrupted, and no process trains it.
The record of an "unreadable" one is damaged."""

STATUSES: tuple[Status, ...] = get_args(Status)

TAIL = 1024
"""So many bytes at the end of its times tell how far a run is: they hold some ten evaluations."""


@dataclass(frozen=True)
class RunStatus:
    """How far a run is.

    Attributes:
        run: the name of its folder.
        id: of the run.
        name: for people.
        group: the name of the group that it trains in, as planned; None where no plan tells.
        status: one of `STATUSES`.
        why: what there is to say on it: the reason of a failure, why it waits; may be empty.
        step: the last one recorded; of a diverged run the one that was not finite.
        steps: that it is trained for; None where that is not known.
        during: what the process that trains it is doing, such as "measuring costs".
        host: of that process.
        pid: of that process.
        since: when the run was begun, or gone on with, in ISO format.
        seconds_left: of training, at the speed of the last interval between evaluations; None
            where that is not known.
        machine: which trains it, as its manifest says.
        job: of a cluster, that it was handed to last.
    """

    run: str
    id: str
    name: str
    group: str | None
    status: Status
    why: str = ""
    step: int | None = None
    steps: int | None = None
    during: str | None = None
    host: str | None = None
    pid: int | None = None
    since: str | None = None
    seconds_left: float | None = None
    machine: Machine | None = None
    job: Job | None = None


@dataclass(frozen=True)
class StudyStatus:
    """How far a study is.

    Attributes:
        folder: of the study.
        now: when it was looked at.
        runs: in the order in which they were planned, then those that no plan names, by folder.
        problems: files that were passed over, and why.
    """

    folder: Path
    now: datetime
    runs: list[RunStatus]
    problems: list[str]

    @property
    def counts(self) -> dict[Status, int]:
        """How many runs there are of each status."""
        found = Counter(run.status for run in self.runs)
        return {status: found[status] for status in STATUSES}


class _Record(NamedTuple):
    """What is kept of a run's record; `run` is None where it can't be read, and `why` says why."""

    id: str
    run: Run | None
    steps: int | None
    why: str = ""


def look(study: Path) -> StudyStatus:
    """Look how far a study is.

    Raises:
        SeqexpError: there is no such folder, it can't be read, or nothing in it is of a study.
    """
    now, problems = datetime.now(UTC), []
    # Before the records: a run that is closed meanwhile is not taken for one that nobody trains.
    holders = _holders(study)
    planned = {run.id: run for run in plans.read(study, problems.append)}
    job_of = {id: job for job in jobs.read(study) for id in job.runs}
    records = _records(study)
    if not (records or planned or job_of or (study / LOCKS).is_dir()):
        raise SeqexpError(f"no study in {study}: it holds no run, and none is planned there")
    folders = {record.id: folder for folder, record in records.items()}
    runs = []
    for plan in planned.values():
        folder = plan.folder if plan.folder in records else folders.get(plan.id, plan.folder)
        record = records.pop(folder, None)
        runs.append(_status(study / folder, record, plan, holders, job_of))
    runs += [_status(study / name, own, None, holders, job_of) for name, own in records.items()]
    return StudyStatus(study, now, runs, problems)


def _holders(study: Path) -> dict[str, Holder]:
    """Who holds which lock of a study."""
    found = {}
    with suppress(OSError):
        for name in os.listdir(study / LOCKS):
            if not name.startswith(".") and (holder := holder_of(study, name)) is not None:
                found[name] = holder
    return found


def _records(study: Path) -> dict[str, _Record]:
    """The records in a study, by the names of their folders."""
    try:
        with os.scandir(study) as entries:
            names = sorted(e.name for e in entries if not e.name.startswith(".") and e.is_dir())
    except FileNotFoundError:
        raise SeqexpError(f"no study in {study}: there is no such folder") from None
    except OSError as error:
        raise SeqexpError(f"{study} can't be read ({error.strerror})") from error
    found = {name: _record(study / name) for name in names}
    return {name: record for name, record in found.items() if record is not None}


def _record(folder: Path) -> _Record | None:
    """The record in a folder; None where it holds none."""
    try:
        value = read_json(folder / RUN)
    except SeqexpError:
        return _Record(folder.name, None, None, f"{RUN} is damaged or can't be read")
    if value is None:
        there = os.path.exists(folder / METRICS)
        return _Record(folder.name, None, None, f"{RUN} is missing") if there else None
    trainer = config.get("trainer") if isinstance(config := value.get("config"), dict) else None
    steps = trainer.get("steps") if isinstance(trainer, dict) else None
    try:
        # Of many runs the configs and scores would fill the memory.
        run = Run.from_json(value | {"config": {}, "choices": {}})
    except Malformed as error:
        return _Record(folder.name, None, None, f"{RUN}: {error}")
    return _Record(run.id, run, steps if isinstance(steps, int) else None)


def _status(
    folder: Path,
    record: _Record | None,
    plan: PlannedRun | None,
    holders: Mapping[str, Holder],
    job_of: Mapping[str, Job],
) -> RunStatus:
    """How far a run is that is recorded, planned, or both."""
    run = None if record is None else record.run
    id = plan.id if plan is not None else record.id if record is not None else folder.name
    holder, job = holders.get(id), job_of.get(id)
    name = (run and run.name) or (plan and plan.name) or id
    steps = (record and record.steps) or (plan and plan.steps)
    group = None if plan is None else plan.group

    def told(status: Status, why: str = "", **more: Any) -> RunStatus:
        return RunStatus(folder.name, id, name, group, status, why, steps=steps, job=job, **more)

    if run is not None and run.status == "finished":
        return told("finished", step=steps)
    if run is not None and run.status == "diverged":
        at = run.diverged_step
        return told("diverged", "" if at is None else f"at step {at:,}", step=at)
    step, seconds_left = _pace(folder / TIMING, steps)
    if run is not None and run.status == "failed":
        return told("failed", run.error or "no reason is recorded", step=step)
    if holder is not None:
        began = _manifest(folder) if record is not None else {}
        attempt = attempts.read(folder)
        return told(
            "running",
            step=step,
            seconds_left=seconds_left,
            during="preparing" if attempt is None else attempt.during,
            host=holder.host,
            pid=holder.pid or None,
            since=began.get("started_at"),
            machine=machine_of(began),
        )
    if job is not None and job.state == "failed":
        return told("failed", job.why or "its job failed", step=step)
    if record is not None and run is None:
        return told("unreadable", record.why, step=step)
    if job is not None and job.state == "submitted":
        at = f"at {job.submitted_at} (try {job.tries})"
        waits = "" if job.why is None else f"; when last asked, it waited for: {job.why}"
        return told(
            "waiting", f"submitted to {job.executor} as {job.handle} {at}{waits}", step=step
        )
    if run is None:
        return told("waiting", "planned")
    attempt = attempts.read(folder)
    ended = "interrupted" if attempt is None else "its process died"
    ended += "" if step is None else f" after step {step:,}"
    ended += "" if attempt is None else f" while {attempt.during}"
    return told("waiting", ended, step=step)


def _pace(timing: Path, steps: int | None) -> tuple[int | None, float | None]:
    """The last step of a run with a time, and the seconds that are left from there."""
    try:
        with open(timing, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - TAIL))
            records = parse_lines(file.read()).records
    except OSError:
        return None, None
    points = [
        (record["step"], record["seconds"])
        for record in records
        if record and isinstance(record.get("step"), int) and is_number(record.get("seconds"))
    ]
    if not points:
        return None, None
    (step, seconds), (before, until) = points[-1], points[-2] if len(points) > 1 else (0, 0.0)
    if steps is None or step <= before or seconds < until:
        return step, None
    return step, max(0, steps - step) * (seconds - until) / (step - before)


def _manifest(folder: Path) -> Mapping[str, Any]:
    """The last manifest of a run: of a resumed one that of the process that goes on with it."""
    try:
        first = read_json(folder / MANIFEST) or {}
    except SeqexpError:
        return {}
    resumed = first.get("resumed")
    last = resumed[-1] if isinstance(resumed, list) and resumed else first
    return last if isinstance(last, dict) else {}
