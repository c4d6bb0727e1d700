"""Jobs in processes of this machine, each with cores of its own."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import jax

from seqexp.runs import jobs
from seqexp.sweeps.executors import serve
from seqexp.sweeps.executors.settings import Processes
from seqexp.types import SeqexpError

PATIENCE = 20.0
"""Seconds that a process is given to end, before it is killed."""


class OnProcesses:
    """Does jobs in a few processes, each of which takes one after another.

    The processes start JAX once, and hear of the end of this one by the pipe between them, however
    it ends: they end then.

    Args:
        settings: of the processes.
    """

    name: jobs.Executor = "processes"
    poll_seconds = 0.2
    outlives = False
    farewell = "the jobs ended with this process: the same command goes on"

    def __init__(self, settings: Processes) -> None:
        self.cpus = settings.cpus
        self.members_per_job = settings.members_per_job
        self.tries = settings.tries
        self._processes = settings.processes
        self._waiting: queue.SimpleQueue[Path | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._working: set[subprocess.Popen[str]] = set()
        self._there: set[str] = set()
        self._gone: dict[str, str] = {}
        self._closed = False

    @contextmanager
    def opened(self, study: Path) -> Iterator[None]:
        """See `Executor`."""
        if jax.default_backend() != "cpu":
            raise SeqexpError(
                "executor=processes trains on cores: on the GPUs of this machine use "
                "executor=ray executor.gpus=1"
            )
        count = processes_of(self.cpus, self._processes, available_cores())
        # Daemons: a process that does not end holds up no exit.
        self._threads = [threading.Thread(target=self._feed, daemon=True) for _ in range(count)]
        try:
            yield
        finally:
            self._close()

    def submit(self, folders: Sequence[Path]) -> list[str]:
        """See `Executor`."""
        for folder in folders:
            self._there.add(folder.name)
            self._waiting.put(folder)
        for thread in self._threads[: len(self._there)]:  # No more than there are jobs.
            if thread.ident is None:
                thread.start()
        return [folder.name for folder in folders]

    def gone(self, handles: Sequence[str]) -> Mapping[str, str]:
        """See `Executor`."""
        unknown = {h: "its process ended with its sweep" for h in handles if h not in self._there}
        return unknown | {h: self._gone[h] for h in handles if h in self._gone}

    def _feed(self) -> None:
        """Have one process do what waits, job after job; a thread of its own. A process that dies
        takes its job with it, and the next job starts another."""
        process: subprocess.Popen[str] | None = None
        while (folder := self._waiting.get()) is not None and not self._closed:
            try:
                if process is None or process.poll() is not None:
                    process = _started(self.cpus)
                    self._working.add(process)
                answered = _done(process, folder)
                why = "it ended without a result" if answered else _end(process.wait())
            except OSError as error:
                why = f"no process can be started: {error.strerror}"
            self._gone[folder.name] = why

    def _close(self) -> None:
        """End the processes, in order if they do so in time."""
        self._closed = True
        for process in self._working:
            if process.stdin is not None:
                with suppress(OSError):
                    process.stdin.close()
        for process in self._working:
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for _ in self._threads:
            self._waiting.put(None)
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(PATIENCE)
        for process in self._working:
            if process.stdout is not None:
                process.stdout.close()


def available_cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def processes_of(cpus: int, asked: int | None, cores: int) -> int:
    """How many processes of `cpus` cores each run at once: as many as asked, or as there is room.

    Raises:
        SeqexpError: there are not so many cores.
    """
    count = max(1, cores // cpus) if asked is None else asked
    if count * cpus > cores:
        raise SeqexpError(
            f"executor=processes: {count} x {cpus} cores are asked for (executor.processes, "
            f"executor.cpus), and this machine has {cores}"
        )
    return count


def _started(cpus: int) -> subprocess.Popen[str]:
    """A process that waits for jobs."""
    environment = dict(os.environ)
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    return subprocess.Popen(
        [sys.executable, "-m", serve.__name__, str(cpus)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        # Control-C is for this process, which ends the others in order.
        start_new_session=True,
    )


def _done(process: subprocess.Popen[str], folder: Path) -> bool:
    """Have a process do a job; False where it died meanwhile."""
    assert process.stdin is not None and process.stdout is not None
    with suppress(BrokenPipeError, ValueError):  # It is dead, or was closed meanwhile.
        process.stdin.write(json.dumps(str(folder.absolute())) + "\n")
        process.stdin.flush()
        return bool(process.stdout.readline())
    return False


def _end(code: int) -> str:
    if code >= 0:
        return f"its process ended with exit code {code}"
    return f"its process was killed by {signal.Signals(-code).name}"
