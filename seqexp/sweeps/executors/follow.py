"""Follow jobs that train elsewhere: submit, look, start again what died."""

from __future__ import annotations

import hashlib
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
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
        steps: that its runs have trained, as far as they are shown.
        gone_since: when it was first seen to be gone, by this process's clock.
    """

    job: Job
    members: Sequence[Planned]
    points: Sequence[Point]
    steps: int = 0
    gone_since: float | None = None

    def __post_init__(self) -> None:
        self._timings = [LastRecord(member.directory / TIMING) for member in self.members]

    def new_steps(self) -> int:
        """How many steps its runs have trained since the last call; what a run takes back that
        begins anew, by other code say, counts against them."""
        before = self.steps
        self.steps = sum(int(timing.read().get("step", 0)) for timing in self._timings)
        return self.steps - before


class Follower:
    """Has an executor train the members of groups, and waits for all of them.

    Jobs that an earlier sweep has submitted, and that still run or wait, are followed rather than
    submitted again. A job that dies is submitted again, at most `executor.tries` times in all.

    Args:
        executor: which this opens.
        study: the folder of the records.
        locks: of the study.
        progress: of the sweep.
        on_end: is told the members of a job that has come to its end.
    """

    def __init__(
        self,
        executor: Executor,
        study: Path,
        locks: Locks,
        progress: SweepProgress,
        on_end: Callable[[Sequence[Planned]], None],
    ) -> None:
        self._executor = executor
        self._study = study
        self._locks = locks
        self._progress = progress
        self._on_end = on_end
        self._said: set[str] = set()

    def train(
        self, groups: Sequence[tuple[Group, Sequence[Planned]]], points: Mapping[str, Point]
    ) -> dict[str, Outcome]:
        """Train the members of groups elsewhere.

        Args:
            groups: with their members that are not finished.
            points: by run id, with their widths solved.

        Returns:
            By run id what became of each member.
        """
        left = [
            _followed(self._executor.name, group, part, points)
            for group, members in groups
            for part in _parts(members, self._executor.members_per_job)
        ]
        outcomes: dict[str, Outcome] = {}
        try:
            with self._executor.opened(self._study):
                self._submit(left)
                while left:
                    ended, died = self._look(left)
                    for each, result in ended:
                        outcomes |= self._outcomes(each, result)
                    lost = [pair for pair in died if pair[0].job.tries >= self._executor.tries]
                    for each, why in lost:
                        outcomes |= self._failed(each, why)
                    again = [pair for pair in died if pair not in lost]
                    for each, why in again:
                        self._progress.say(
                            f"{each.job.group} is started again ({each.job.tries + 1} of "
                            f"{self._executor.tries}): {why}"
                        )
                    self._submit([each for each, _ in again])
                    self._show(left)
                    left = [each for each in left if each.job.runs[0] not in outcomes]
                    if left:
                        time.sleep(self._executor.poll_seconds)
        except KeyboardInterrupt:
            self._progress.say(self._executor.farewell)
            raise
        finally:
            if not self._executor.outlives:
                for each in left:
                    self._end(each)
        return outcomes

    def _submit(self, followed: Sequence[_Followed]) -> None:
        """Submit jobs, but for those that another sweep has submitted, and that are still there."""
        if not followed:
            return
        say = self._progress.say
        self._locks.wait_for(SUBMITTING, lambda by: say(f"waiting: {by} submits jobs"))
        try:
            there = self._there(followed)
            new = [each for each in followed if each.job.key not in there]
            for each in followed:
                each.job = there.get(each.job.key, each.job)
            if there:
                say(f"jobs of an earlier sweep that are followed: {len(there)}")
            if new:
                self._submit_anew(new)
                say(f"jobs submitted to {self._executor.name}: {len(new)}")
        finally:
            self._locks.release(SUBMITTING)

    def _there(self, followed: Sequence[_Followed]) -> dict[str, Job]:
        """By key, the jobs that another sweep has submitted, and that run or wait, or have a
        result to be read."""
        noted = [(each.job, jobs.read_one(self._study, each.job.key)) for each in followed]
        others = [
            job
            for own, job in noted
            if job is not None
            and job.handle != own.handle
            and (job.state, job.executor) == ("submitted", self._executor.name)
        ]
        gone = self._executor.gone([job.handle for job in others])
        return {
            job.key: job
            for job in others
            if job.handle not in gone
            or self._is_trained(job)
            or Result.read(folder_of(self._study, job)) is not None
        }

    def _is_trained(self, job: Job) -> bool:
        """Whether somebody who lives trains a run of a job, as in a Ray of another sweep's own."""
        return any(self._locks.holder(run) is not None for run in job.runs)

    def _submit_anew(self, new: Sequence[_Followed]) -> None:
        folders = []
        for each in new:
            each.job = replace(each.job, folder=f"{each.job.key}-{uuid.uuid4().hex[:8]}")
            folders.append(folder_of(self._study, each.job))
            Work.of(each.points, self._executor.cpus).write(folders[-1])
        now = datetime.now(UTC).isoformat(timespec="seconds")
        for each, handle in zip(new, self._executor.submit(folders), strict=True):
            each.gone_since = None
            each.job = replace(
                each.job,
                handle=handle,
                submitted_at=now,
                tries=each.job.tries + 1,
                state="submitted",
                why=None,
            )
            jobs.write(self._study, each.job)

    def _look(
        self, followed: Sequence[_Followed]
    ) -> tuple[list[tuple[_Followed, Result]], list[tuple[_Followed, str]]]:
        """The jobs that have come to their end, with their results, and those that died, with the
        reasons."""
        # First who is gone: whatever such a job has written is there then, or comes within GRACE.
        gone = self._executor.gone([each.job.handle for each in followed])
        ended, died = [], []
        for each in followed:
            result = Result.read(folder_of(self._study, each.job))
            if result is not None:
                ended.append((each, result))
            elif each.job.handle not in gone or self._is_trained(each.job):
                each.gone_since = None
            else:
                each.gone_since = each.gone_since or time.monotonic()
                if time.monotonic() - each.gone_since > GRACE:
                    died.append((each, gone[each.job.handle]))
        return ended, died

    def _outcomes(self, each: _Followed, result: Result) -> dict[str, Outcome]:
        """Of a job that has come to its end, what became of its members."""
        if result.error is not None:
            return self._failed(each, result.error)
        _note(self._study, _as_it_ended(each.job))
        self._on_end(each.members)
        counts = Counter(outcome.status for outcome in result.outcomes)
        told = ", ".join(f"{n} {status}" for status, n in counts.items())
        self._progress.say(f"{each.job.group}: {told}")
        return dict(zip(each.job.runs, result.outcomes, strict=True))

    def _failed(self, each: _Followed, why: str) -> dict[str, Outcome]:
        """Of a job that failed as a whole, what became of its members."""
        if each.job.tries > 1:
            why = f"its job was started {each.job.tries} times, the last time: {why}"
        _note(self._study, _as_it_ended(each.job, why))
        self._progress.say(f"{each.job.group} failed: {why}")
        return {member.info.id: outcome_of(member, why) for member in each.members}

    def _end(self, each: _Followed) -> None:
        """A job that was ended with this process: its attempts are no deaths of their own."""
        with suppress(OSError):
            _note(self._study, _as_it_ended(each.job))
            for member in each.members:
                if self._locks.holder(member.info.id) is None:  # No other sweep trains it by now.
                    attempts.remove(member.directory)

    def _show(self, followed: Sequence[_Followed]) -> None:
        started = [e for e in followed if (folder_of(self._study, e.job) / STARTED).exists()]
        self._progress.advance(sum(each.new_steps() for each in started))
        waiting = len(followed) - len(started)
        self._progress.working_on(f"{len(started)} jobs run, {waiting} wait")
        self._tell_waiting(followed)

    def _tell_waiting(self, followed: Sequence[_Followed]) -> None:
        """Say what jobs wait for other than their turn, once for each reason, and write it down."""
        waits = self._executor.waiting_for([each.job.handle for each in followed])
        if waits is None:
            return
        for why, count in Counter(waits.values()).items():
            if why not in self._said:
                self._said.add(why)
                self._progress.say(f"{count} job(s) of {self._executor.name} wait for: {why}")
        for each in followed:
            why = waits.get(each.job.handle)
            if each.job.why != why:
                each.job = replace(each.job, why=why)
                with suppress(OSError):
                    _note(self._study, each.job)


def settle(study: Path) -> None:
    """Write down how jobs ended that have a result, where the sweep that submitted them died before
    it could."""
    for job in jobs.read(study):
        result = Result.read(folder_of(study, job)) if job.state == "submitted" else None
        if result is not None:
            _note(study, _as_it_ended(job, result.error))


def folder_of(study: Path, job: Job) -> Path:
    """The folder of a job, beside its record."""
    return study / jobs.JOBS / job.folder


def _as_it_ended(job: Job, error: str | None = None) -> Job:
    """A job that came to its end, by an error if there is one."""
    return replace(job, state="ended" if error is None else "failed", why=error)


def _note(study: Path, job: Job) -> None:
    """Write down what became of a job, unless another sweep has submitted it again since, or knows
    its end."""
    noted = jobs.read_one(study, job.key)
    if noted is None or noted.handle != job.handle:
        return
    if job.state != "submitted" or noted.state == "submitted":
        jobs.write(study, job)


def _parts(members: Sequence[Planned], most: int | None) -> Iterator[Sequence[Planned]]:
    """Members in equal parts of at most so many."""
    if members:
        count = 1 if most is None else -(-len(members) // most)
        size = -(-len(members) // count)
        for first in range(0, len(members), size):
            yield members[first : first + size]


def _followed(
    executor: jobs.Executor, group: Group, members: Sequence[Planned], points: Mapping[str, Point]
) -> _Followed:
    """A job that is not submitted yet."""
    ids = [member.info.id for member in members]
    own = canonical([sorted(ids), source_hash(), members[0].point.config["rerun"]])
    job = Job(
        key=hashlib.sha256(own.encode("utf-8")).hexdigest()[:16],
        executor=executor,
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
        replace(
            # What a config left to us is settled here: a job may have other devices, and members.
            points[id].on_devices(group.batch_devices),
            name=member.info.name,
            executor=None,
        )
        for id, member in zip(ids, members, strict=True)
    ]
    return _Followed(job, members, named)
