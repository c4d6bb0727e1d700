"""What an executor does: start jobs elsewhere, and tell which of them are gone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from seqexp.runs import jobs


class Executor(Protocol):
    """Starts jobs on other machines, or beside this process.

    A job is a folder that `seqexp.sweeps.executors.worker.work` is called with. All that it finds
    goes to that folder and to the records of its runs, so that a sweep that was killed finds its
    jobs again by their handles.

    Attributes:
        name: as `executor=` in a config says.
        cpus: cores of a job.
        devices: that a job computes on: its GPUs, or its cores.
        members_per_job: a larger group is split; None for never.
        tries: how often a job is started, if it dies.
        poll_seconds: between two looks.
        outlives: whether jobs go on when the sweep ends.
        farewell: what to say of the jobs when the sweep is interrupted.
    """

    name: jobs.Executor
    cpus: int
    devices: int
    members_per_job: int | None
    tries: int
    poll_seconds: float
    outlives: bool
    farewell: str

    def opened(self, study: Path) -> AbstractContextManager[None]:
        """Within, jobs can be submitted and looked at.

        Args:
            study: the folder of the sweep's records.

        Raises:
            SeqexpError: a library is missing, or the cluster can't be reached.
        """
        ...

    def submit(self, folders: Sequence[Path]) -> list[str]:
        """Start a job for each folder; their handles, by which another process finds them."""
        ...

    def gone(self, handles: Sequence[str]) -> Mapping[str, str]:
        """Of these, the jobs that neither run nor wait, each with the reason as far as known.

        Where the cluster doesn't answer, none is said to be gone.
        """
        ...

    def waiting_for(self, handles: Sequence[str]) -> Mapping[str, str] | None:
        """Of these, the jobs that wait for more than their turn, each with what the cluster says it
        waits for; None where it doesn't answer."""
        ...
