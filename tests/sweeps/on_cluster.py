"""A sweep whose jobs are killed while a cluster trains them, and what must come of it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from seqexp.runs import jobs
from seqexp.runs.jobs import Job
from seqexp.runs.record import TIMING
from seqexp.runs.store import read_json
from seqexp.sweeps.executors.follow import folder_of
from seqexp.sweeps.executors.work import RESULT, STARTED
from tests.sweeps.tiny import TINY, Started, start

LONG = [
    "sweep",
    *TINY,
    "trainer.steps=40000",
    "trainer.eval_every=1000",
    "model=rnn,gru",
    "seed=0",
    "study=a",
]
"""Some ten seconds of training a job, in which it is killed."""


def until(found: Callable[[], object]) -> None:
    """Wait until something is so."""
    since = time.monotonic()
    while not found():
        assert time.monotonic() - since < 900, "it never came"
        time.sleep(0.05)


def caught(study: Path, group: str, sweep: Started, but: Job | None = None) -> Job | None:
    """Wait for a group's job, other than one before, to have recorded a step; None where it has
    come to its end by then, as it may on a busy machine: there is nothing left to kill."""

    def found() -> list[Job]:
        of_group = [job for job in jobs.read(study) if job.group == group]
        return [job for job in of_group if but is None or job.handle != but.handle]

    def is_training(job: Job) -> bool:
        started = (folder_of(study, job) / STARTED).exists()
        return started and all((study / run / TIMING).exists() for run in job.runs)

    def is_over(job: Job) -> bool:
        return job.state != "submitted" or (folder_of(study, job) / RESULT).exists()

    until(
        lambda: sweep.poll() is not None or any(is_training(j) or is_over(j) for j in found()),
    )
    return next((job for job in found() if is_training(job) and not is_over(job)), None)


def kill_job(study: Path, job: Job | None) -> None:
    """Kill the process that does a job, if one still does."""
    if job is not None:
        with suppress(ProcessLookupError):
            os.kill(process_of(study, job), signal.SIGKILL)


def process_of(study: Path, job: Job) -> int:
    """The process that does a job."""
    started = read_json(folder_of(study, job) / STARTED)
    assert started is not None
    return int(started["by"]["pid"])


def is_done(study: Path, job: Job) -> bool:
    """Whether a job has come to its end."""
    return (folder_of(study, job) / RESULT).exists()


def kill(sweep: Started) -> None:
    """Kill the sweep that follows the jobs, and not them."""
    os.kill(sweep.pid, signal.SIGKILL)
    sweep.communicate()


def local(place: Path) -> Path:
    """The study of the same sweep, trained in one process."""
    sweep = start(*LONG, f"runs_dir={place}")
    said, _ = sweep.communicate()
    assert sweep.returncode == 0, said
    return place / "a"
