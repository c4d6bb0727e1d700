"""A sweep whose jobs are killed while a cluster trains them, and what must come of it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
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


def until(found: Callable[[], object], sweep: Started | None = None, seconds: float = 300) -> None:
    """Wait until something is so, while a sweep runs."""
    since = time.monotonic()
    while not found():
        said = "" if sweep is None or sweep.poll() is None else sweep.communicate()[0]
        assert not said, said
        assert time.monotonic() - since < seconds, "it never came"
        time.sleep(0.05)


def training(study: Path, group: str, but: Job | None = None) -> Job | None:
    """The job of a group that has recorded a step, other than one before; None for none."""
    for job in jobs.read(study):
        other = but is None or job.handle != but.handle
        if job.group == group and other and job.state == "submitted":
            started = (folder_of(study, job) / STARTED).exists()
            if started and all((study / run / TIMING).exists() for run in job.runs):
                return job
    return None


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
