"""Follow jobs that train elsewhere: submit, look, start again what died."""

from __future__ import annotations

import hashlib
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from seqexp.runs import attempts, jobs
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
        members: whose points it trains.
        points: these, as they are to be planned there.
        timings: of each run, where its steps are told.
        steps: that its runs have trained.
        gone_since: when it was first seen to be gone, by this process's clock.
        shown_over: whether its last steps are shown.
    """

    job: Job
    members: Sequence[Planned]
    points: Sequence[Point]
    timings: list[LastRecord] = field(default_factory=list)
    steps: int = 0
    gone_since: float | None = None
    shown_over: bool = False

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

    def left() -> list[_Followed]:
        return [each for each in followed if each.job.runs[0] not in outcomes]

    try:
        with executor.opened(study):
            _submit(followed, executor, study, locks, cpus, progress)
            while left():
                died = []
                for each, ended, why in _look(left(), executor, study, locks):
                    if ended is not None:
                        outcomes |= _outcomes(each, ended, study, progress)
                        if ended.error is None:
                            on_end(each.members)
                    elif each.job.tries >= executor.tries:
                        outcomes |= _failed(each, study, why, progress)
                    else:
                        progress.say(
                            f"{each.job.group} is started again ({each.job.tries + 1} of "
                            f"{executor.tries}): {why}"
                        )
                        died.append(each)
                _submit(died, executor, study, locks, cpus, progress)
                _show(followed, outcomes, study, progress)
                if left():
                    time.sleep(executor.poll_seconds)
    except KeyboardInterrupt:
        progress.say(executor.farewell)
        raise
    finally:
        if not executor.outlives:
            for each in left():
                _ended_with_us(each, study)
    return outcomes


def folder_of(study: Path, job: Job) -> Path:
    """The folder of a job, beside its record."""
    return study / jobs.JOBS / job.folder


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
        folder="",
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
    return _Followed(job, members, named)


def _submit(
    followed: Sequence[_Followed],
    executor: Executor,
    study: Path,
    locks: Locks,
    cpus: int,
    progress: SweepProgress,
) -> None:
    """Submit jobs, but for those that another sweep has submitted, and that still run or wait."""
    if not followed:
        return
    locks.wait_for(SUBMITTING, lambda by: progress.say(f"waiting: {by} submits jobs"))
    try:
        known = {job.key: job for job in jobs.read(study)}
        new = []
        for each in followed:
            job = known.get(each.job.key)
            if (
                job is None
                or job.handle == each.job.handle
                or not _is_there(job, executor, study, locks)
            ):
                new.append(each)
            else:
                each.job = job
        if len(new) < len(followed):
            progress.say(f"{len(followed) - len(new)} jobs of an earlier sweep are followed")
        if new:
            _submit_anew(new, executor, study, cpus)
            progress.say(f"{len(new)} jobs are submitted to {executor.name}")
    finally:
        locks.release(SUBMITTING)


def _is_there(job: Job, executor: Executor, study: Path, locks: Locks) -> bool:
    """Whether a job that another sweep has submitted runs or waits, or has a result to be read."""
    if (job.state, job.executor) != ("submitted", executor.name):
        return False
    return (
        Result.read(folder_of(study, job)) is not None
        or job.handle not in executor.gone([job.handle])
        or _is_trained(job, locks)
    )


def _is_trained(job: Job, locks: Locks) -> bool:
    """Whether somebody who lives trains a run of a job, as under a Ray of another sweep's own."""
    return any(locks.holder(run) is not None for run in job.runs)


def _submit_anew(new: Sequence[_Followed], executor: Executor, study: Path, cpus: int) -> None:
    folders = []
    for each in new:
        each.job = replace(each.job, folder=f"{each.job.key}-{uuid.uuid4().hex[:8]}")
        folders.append(folder_of(study, each.job))
        Work.of(each.points, cpus).write(folders[-1])
    now = datetime.now(UTC).isoformat(timespec="seconds")
    for each, handle in zip(new, executor.submit(folders), strict=True):
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
    followed: Sequence[_Followed], executor: Executor, study: Path, locks: Locks
) -> Iterator[tuple[_Followed, Result | None, str]]:
    """The jobs that have come to their end, each with its result, or that died, with the reason."""
    # First who is gone: whatever such a job has written is there then, or comes within GRACE.
    gone = executor.gone([each.job.handle for each in followed])
    for each in followed:
        result = Result.read(folder_of(study, each.job))
        if result is not None:
            yield each, result, ""
        elif each.job.handle not in gone or _is_trained(each.job, locks):
            each.gone_since = None
        else:
            each.gone_since = each.gone_since or time.monotonic()
            if time.monotonic() - each.gone_since > GRACE:
                yield each, None, gone[each.job.handle]


def _outcomes(
    each: _Followed, result: Result, study: Path, progress: SweepProgress
) -> dict[str, Outcome]:
    state = "failed" if result.error else "ended"
    _note(study, replace(each.job, state=state, why=result.error))
    if result.error is not None:
        progress.say(f"{each.job.group} failed: {result.error}")
        return {member.info.id: outcome_of(member, result.error) for member in each.members}
    counts = Counter(outcome.status for outcome in result.outcomes)
    progress.say(f"{each.job.group}: " + ", ".join(f"{n} {status}" for status, n in counts.items()))
    return dict(zip(each.job.runs, result.outcomes, strict=True))


def _failed(each: _Followed, study: Path, why: str, progress: SweepProgress) -> dict[str, Outcome]:
    if each.job.tries > 1:
        why = f"its job died {each.job.tries} times, the last time: {why}"
    _note(study, replace(each.job, state="failed", why=why))
    progress.say(f"{each.job.group} failed: {why}")
    return {member.info.id: outcome_of(member, why) for member in each.members}


def _ended_with_us(each: _Followed, study: Path) -> None:
    """A job that was ended with this process: its attempts are no deaths of their own."""
    with suppress(OSError):
        _note(study, replace(each.job, state="ended", why=None))
        for member in each.members:
            attempts.remove(member.directory)


def _note(study: Path, job: Job) -> None:
    """Write down what became of a job, unless another sweep has submitted it again since."""
    noted = {other.key: other.handle for other in jobs.read_some(study, [job.key])}
    if noted.get(job.key) == job.handle:
        jobs.write(study, job)


def _show(
    followed: Sequence[_Followed],
    outcomes: Mapping[str, Outcome],
    study: Path,
    progress: SweepProgress,
) -> None:
    running = waiting = 0
    for each in followed:
        over = each.job.runs[0] in outcomes
        if over and each.shown_over:
            continue
        each.shown_over = over
        if (folder_of(study, each.job) / STARTED).exists():
            running += not over
            steps = sum(int(timing.read().get("step", 0)) for timing in each.timings)
            # A run that begins anew, by other code say, takes back what it had.
            progress.advance(steps - each.steps)
            each.steps = steps
        else:
            waiting += not over
    progress.working_on(f"{running} jobs run, {waiting} wait")
