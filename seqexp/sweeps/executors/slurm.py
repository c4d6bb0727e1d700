"""Jobs of SLURM, submitted by submitit."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from seqexp.data.extras import needs
from seqexp.runs import endings, jobs
from seqexp.sweeps.executors.settings import Submitit
from seqexp.sweeps.executors.work import last_line
from seqexp.sweeps.executors.worker import work
from seqexp.types import SeqexpError, first_line

LOGS = "slurm"
"""The folder of what jobs print, among those of a study's jobs."""

WAITING = "PENDING", "REQUEUE_HOLD", "SPECIAL_EXIT"
"""SLURM's states of jobs that wait."""

TURN = "None", "Priority", "Resources", "JobArrayTaskLimit", "BeginTime"
"""SLURM's reasons of jobs that wait for their turn alone."""

REQUEUED = 10_000
"""So often a job that reaches its time limit is queued again."""


class Slurm:
    """Submits jobs to SLURM, and asks its queue for them.

    A job that SLURM warns of its time limit, or of preemption, gives back its locks and is queued
    again, under the same number: training goes on from its last evaluation.

    Args:
        settings: of the jobs.
    """

    name: jobs.Executor = "submitit"
    poll_seconds = 5.0
    outlives = True
    farewell = "the jobs go on in SLURM: the same command follows them, scancel ends them"

    def __init__(self, settings: Submitit) -> None:
        self._settings = settings
        self.cpus = settings.cpus
        self.devices = settings.gpus or settings.cpus
        self.members_per_job = settings.members_per_job
        self.tries = settings.tries
        self._executor: Any = None
        self._logs = Path()

    @contextmanager
    def opened(self, study: Path) -> Iterator[None]:
        """See `Executor`."""
        with needs("slurm"):
            import submitit
        of = self._settings
        _require_room(of.cpus)
        self._logs = study.absolute() / jobs.JOBS / LOGS
        try:
            self._executor = submitit.SlurmExecutor(folder=self._logs, max_num_timeout=REQUEUED)
        except RuntimeError as error:
            raise SeqexpError(
                f"executor=submitit: {first_line(error)}; is this a machine that submits to SLURM?"
            ) from error
        optional = {
            "partition": of.partition,
            "account": of.account,
            "gpus_per_node": of.gpus or None,
            "mem": None if of.memory_gb is None else f"{round(of.memory_gb * 1024)}M",
            "setup": list(of.setup) or None,
        }
        self._executor.update_parameters(
            job_name=f"seqexp-{study.name}",
            time=of.minutes,
            nodes=1,
            ntasks_per_node=1,
            cpus_per_task=of.cpus,
            signal_delay_s=of.signal_seconds,
            array_parallelism=of.parallel,
            additional_parameters={
                "requeue": True,
                "open_mode": "append",
                **(of.parameters or {}),
            },
            **{name: value for name, value in optional.items() if value is not None},
        )
        yield

    def submit(self, folders: Sequence[Path]) -> list[str]:
        """See `Executor`."""
        from submitit.core.utils import FailedJobError, FailedSubmissionError

        try:
            with self._executor.batch():
                submitted = [self._executor.submit(Resumable(), str(f.absolute())) for f in folders]
        except (FailedJobError, FailedSubmissionError, subprocess.CalledProcessError) as error:
            raise SeqexpError(f"SLURM takes no jobs: {last_line(str(error))}") from error
        return [job.job_id for job in submitted]

    def gone(self, handles: Sequence[str]) -> Mapping[str, str]:
        """See `Executor`."""
        if not handles:
            return {}
        there = _listed("%i")
        if there is None:
            return {}
        return {h: self._why(h) for h in handles if _of(h, there) is None}

    def waiting_for(self, handles: Sequence[str]) -> Mapping[str, str] | None:
        """See `Executor`."""
        there = _listed("%i %T %r")
        if there is None:
            return None
        waits = {}
        for handle in handles:
            state, _, why = (_of(handle, there) or "").partition(" ")
            why = why.partition(",")[0]  # Behind it are names of nodes.
            if state in WAITING and why not in TURN:
                waits[handle] = why
        return waits

    def _why(self, handle: str) -> str:
        """The state in which SLURM left a job, and the last line that it printed."""
        told = _asked("scontrol", "-o", "show", "job", handle) or ""
        words = dict(word.split("=", 1) for word in told.split() if "=" in word)
        state = words.get("JobState", "no longer in the queue")
        node = f" on {words['NodeList']}" if words.get("NodeList", "(null)") != "(null)" else ""
        printed = ""
        for log in sorted(self._logs.glob(f"{handle}_*_log.err")):
            printed = last_line(log.read_text(encoding="utf-8", errors="replace"))
        return f"SLURM job {handle}{node}: {state}{f' ({printed})' if printed else ''}"


class Resumable:
    """What a job runs: `work`, which goes on where it was when the job is queued again."""

    def __call__(self, job: str) -> None:
        work(job)

    def checkpoint(self, job: str) -> Any:
        """Called in the job before its time is up; what it runs when it is started again."""
        from submitit.helpers import DelayedSubmission

        # Locks are released and the attempt is no death: it will go on.
        endings.end()
        return DelayedSubmission(Resumable(), job)


def _require_room(cpus: int) -> None:
    """Raise SeqexpError where no node has so many cores: a job would wait forever."""
    told = _asked("sinfo", "-h", "-o", "%c") or ""
    cores = [int(words) for word in told.split() if (words := word.rstrip("+")).isdigit()]
    if cores and cpus > max(cores) and "+" not in told:
        raise SeqexpError(
            f"executor=submitit: a job asks for {cpus} cores, and SLURM's largest node has "
            f"{max(cores)}"
        )


def _listed(form: str) -> dict[str, str] | None:
    """This user's jobs in SLURM's queue: what else a form tells of each, which begins with the id;
    None where SLURM doesn't answer."""
    listed = _asked("squeue", "-h", "-r", "--me", "-o", form)
    if listed is None:
        return None
    lines = (line.partition(" ") for line in listed.splitlines())
    return {id: told for id, _, told in lines}


def _of(handle: str, there: Mapping[str, str]) -> str | None:
    """What is told of a job; one of an array of one may be listed by the array's number."""
    return there.get(handle, there.get(handle.partition("_")[0]))


def _asked(*command: str) -> str | None:
    """What a command of SLURM prints; None where it fails, as while the controller restarts."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
