"""Follow jobs that train elsewhere: submit, look, start again what died."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from seqexp.runs import jobs
from seqexp.runs.growing import LastRecord
from seqexp.runs.identity import canonical
from seqexp.runs.jobs import Job
from seqexp.runs.locks import Locks
from seqexp.runs.manifest import source_hash
from seqexp.runs.record import TIMING
from seqexp.sweeps.executors.protocol import Executor
from seqexp.sweeps.executors.work import STARTED, Result, Work
from seqexp.sweeps.groups import Group, Planned
from seqexp.sweeps.outcome import Outcome, outcome_of
from seqexp.sweeps.point import Point
from seqexp.sweeps.progress import SweepProgress

GRACE = 20.0
"""Seconds that a network file system may take to show what a job that is gone has written."""

SUBMITTING = "jobs"
"""The name of the lock that is held while jobs are submitted."""


@dataclass
class _Followed:
    """A job, and what is known of it.

    Attributes:
        job: its record.
        name: of its group.
        members: whose points it trains.
        points: these, as they are to be planned there.
        timings: of each run, where its steps are told.
        steps: that its runs have trained.
        gone_since: when it was first seen to be gone, by this process's clock.
    """

    job: Job
    name: str
    members: Sequence[Planned]
    points: Sequence[Point]
    timings: list[LastRecord] = field(default_factory=list)
    steps: int = 0
    gone_since: float | None = None

    def __post_init__(self) -> None:
        self.timings = [LastRecord(member.directory / TIMING) for member in self.members]


def train_elsewhere(
    to_train: Sequence[tuple[Group, Sequence[Planned]]],
    points: dict[str, Point],
    executor: Executor,
    study: Path,
    locks: Locks,
    cpus: int,
    progress: SweepProgress,
    on_end: Callable[[Sequence[Planned]], None],
) -> dict[str, Outcome]:
    """Have an executor train the members of groups, and wait for all of them.

    Jobs that an earlier sweep has submitted, and that still run or wait, are followed rather than
    submitted again. A job that dies is submitted again, at most `executor.tries` times in all.

    Args:
        to_train: what is not finished, by group.
        points: by run id, with their widths solved.
        executor: opened here.
        study: the folder of the records.
        locks: of the study.
        cpus: cores of a job.
        progress: of the sweep.
        on_end: is told the members of a job that has come to its end.

    Returns:
        By run id what became of each member.
    """
    followed = [
        _job(executor, group, part, points)
        for group, members in to_train
        for part in _parts(members, executor.members_per_job)
    ]
    outcomes: dict[str, Outcome] = {}
    with executor.opened(study):
        locks.wait_for(SUBMITTING, lambda by: progress.say(f"waiting: {by} submits jobs"))
        try:
            _begin(followed, executor, study, cpus, progress)
        finally:
            locks.release(SUBMITTING)
        try:
            while followed:
                ended, died = _look(followed, executor, study)
                for each in ended:
                    outcomes |= _outcomes(each, study)
                    on_end(each.members)
                for each, why in died:
                    if each.job.tries >= executor.tries:
                        outcomes |= _failed(each, study, why)
                        progress.say(f"{each.name} failed: {outcomes[each.job.runs[0]].detail}")
                again = [each for each, _ in died if each.job.runs[0] not in outcomes]
                for each, why in died:
                    if each in again:
                        progress.say(
                            f"{each.name} is started again ({each.job.tries + 1} of "
                            f"{executor.tries}): {why}"
                        )
                _submit(again, executor, study, cpus)
                followed = [each for each in followed if each.job.runs[0] not in outcomes]
                _show(followed, study, progress)
                if followed:
                    time.sleep(executor.poll_seconds)
        except KeyboardInterrupt:
            progress.say(executor.farewell)
            raise
    return outcomes


def folder_of(study: Path, job: Job) -> Path:
    """The folder of a job, beside its record."""
    return study / jobs.JOBS / job.key


def _parts(members: Sequence[Planned], most: int | None) -> Iterator[Sequence[Planned]]:
    """Members in equal parts of at most so many."""
    if members:
        count = 1 if most is None else -(-len(members) // most)
        size = -(-len(members) // count)
        for first in range(0, len(members), size):
            yield members[first : first + size]


def _job(
    executor: Executor, group: Group, members: Sequence[Planned], points: dict[str, Point]
) -> _Followed:
    ids = [member.info.id for member in members]
    own = canonical([sorted(ids), source_hash(), members[0].point.config["rerun"]])
    job = Job(
        key=hashlib.sha256(own.encode("utf-8")).hexdigest()[:16],
        executor=executor.name,
        handle="",
        group=group.name,
        runs=tuple(ids),
        submitted_at="",
        tries=0,
        state="ended",
        why=None,
    )
    named = [
        replace(points[id], name=m.info.name, executor=None)
        for id, m in zip(ids, members, strict=True)
    ]
    return _Followed(job, group.name, members, named)


def _begin(
    followed: Sequence[_Followed],
    executor: Executor,
    study: Path,
    cpus: int,
    progress: SweepProgress,
) -> None:
    """Take up the jobs that still run or wait, and submit the others."""
    known = {job.key: job for job in jobs.read(study)}
    there = [
        each
        for each in followed
        if (job := known.get(each.job.key)) is not None
        and (job.state, job.executor) == ("submitted", executor.name)
        and set(job.runs) == set(each.job.runs)
    ]
    gone = executor.gone([known[each.job.key].handle for each in there])
    alive = []
    for each in there:
        job = known[each.job.key]
        # One that ended while nobody looked has its result: it is read as any other's is.
        if job.handle not in gone or Result.read(folder_of(study, job)) is not None:
            each.job = replace(each.job, **{k: getattr(job, k) for k in _KEPT})
            alive.append(each)
    if alive:
        progress.say(f"{len(alive)} jobs of an earlier sweep are followed")
    _submit([each for each in followed if each not in alive], executor, study, cpus)


_KEPT = ("handle", "submitted_at", "tries", "state")


def _submit(followed: Sequence[_Followed], executor: Executor, study: Path, cpus: int) -> None:
    if not followed:
        return
    folders = [folder_of(study, each.job) for each in followed]
    for each, folder in zip(followed, folders, strict=True):
        Work.of(each.points, cpus).write(folder)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    for each, handle in zip(followed, executor.submit(folders), strict=True):
        each.gone_since = None
        each.job = replace(
            each.job,
            handle=handle,
            submitted_at=now,
            tries=each.job.tries + 1,
            state="submitted",
            why=None,
        )
        jobs.write(study, each.job)


def _look(
    followed: Sequence[_Followed], executor: Executor, study: Path
) -> tuple[list[_Followed], list[tuple[_Followed, str]]]:
    """The jobs that have come to their end, and those that died, each with the reason."""
    # First who is gone: whatever such a job has written is there then, or comes within GRACE.
    gone = executor.gone([each.job.handle for each in followed])
    ended, died = [], []
    for each in followed:
        if Result.read(folder_of(study, each.job)) is not None:
            ended.append(each)
        elif each.job.handle in gone:
            each.gone_since = each.gone_since or time.monotonic()
            if time.monotonic() - each.gone_since > GRACE:
                died.append((each, gone[each.job.handle]))
    return ended, died


def _outcomes(each: _Followed, study: Path) -> dict[str, Outcome]:
    result = Result.read(folder_of(study, each.job))
    assert result is not None
    jobs.write(
        study, replace(each.job, state="failed" if result.error else "ended", why=result.error)
    )
    if result.error is not None:
        return {member.info.id: outcome_of(member, result.error) for member in each.members}
    return dict(zip(each.job.runs, result.outcomes, strict=True))


def _failed(each: _Followed, study: Path, why: str) -> dict[str, Outcome]:
    tries = f"its job died {each.job.tries} times, the last time: {why}"
    why = why if each.job.tries == 1 else tries
    jobs.write(study, replace(each.job, state="failed", why=why))
    return {member.info.id: outcome_of(member, why) for member in each.members}


def _show(followed: Sequence[_Followed], study: Path, progress: SweepProgress) -> None:
    running = 0
    for each in followed:
        if (folder_of(study, each.job) / STARTED).exists():
            running += 1
            steps = sum(int(timing.read().get("step", 0)) for timing in each.timings)
            # A run that begins anew, by other code say, takes back what it had.
            progress.advance(steps - each.steps)
            each.steps = steps
    progress.working_on(f"{running} jobs run, {len(followed) - running} wait")
