"""Jobs in processes of this machine, each with cores of its own."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import jax

from seqexp.cores import CORES, usable_cores
from seqexp.runs import jobs
from seqexp.sweeps.executors import serve
from seqexp.sweeps.executors.settings import Processes
from seqexp.sweeps.executors.work import LOG, last_line
from seqexp.sweeps.executors.worker import python_path
from seqexp.types import SeqexpError, reason

PATIENCE = 10.0
"""Seconds that the processes are given to end, before they are killed."""

LOOK = 0.5
"""Seconds between two looks whether a process that doesn't answer is still there."""


class OnProcesses:
    """Does jobs in a few processes, each of which takes one after another.

    A process starts JAX once. It hears of the end of this one by the pipe between them, however
    this one ends, and ends then, as it does when there are no more jobs.

    Args:
        settings: of the processes.
    """

    name: jobs.Executor = "processes"
    poll_seconds = 0.2
    outlives = False
    farewell = "the jobs ended with this process: the same command goes on"

    def __init__(self, settings: Processes) -> None:
        self.cpus = self.devices = settings.cpus
        self.members_per_job = settings.members_per_job
        self.tries = settings.tries
        self._asked = settings.processes
        self._most = 0
        # The lock is for these four.
        self._lock = threading.Lock()
        self._waiting: deque[Path] = deque()
        self._serving: list[Serving] = []
        self._feeding: list[threading.Thread] = []
        self._closed = False
        self._there: set[str] = set()
        self._gone: dict[str, str] = {}

    @contextmanager
    def opened(self, study: Path) -> Iterator[None]:
        """See `Executor`."""
        if jax.default_backend() != "cpu":
            raise SeqexpError(
                "executor=processes trains on cores: set JAX_PLATFORMS=cpu, or use executor=ray "
                "executor.gpus=1 on the GPUs of this machine"
            )
        self._most = processes_of(self.cpus, self._asked, usable_cores())
        try:
            yield
        finally:
            self._close()

    def submit(self, folders: Sequence[Path]) -> list[str]:
        """See `Executor`."""
        with self._lock:
            self._waiting += folders
            self._there |= {folder.name for folder in folders}
            for _ in range(min(self._most - len(self._feeding), len(self._waiting))):
                # A daemon: one that does not end holds up no exit.
                self._feeding.append(threading.Thread(target=self._feed, daemon=True))
                self._feeding[-1].start()
        return [folder.name for folder in folders]

    def gone(self, handles: Sequence[str]) -> Mapping[str, str]:
        """See `Executor`."""
        others = "it belongs to another sweep, or ended with it"
        unknown = {handle: others for handle in handles if handle not in self._there}
        return unknown | {h: self._gone[h] for h in handles if h in self._gone}

    def waiting_for(self, handles: Sequence[str]) -> Mapping[str, str]:
        """See `Executor`: for their turn alone."""
        return {}

    def _feed(self) -> None:
        """Have one process do what waits, job after job, until nothing does; a thread of its own.
        A process that dies takes its job with it, and the next job starts another."""
        process: Serving | None = None
        while (folder := self._next()) is not None:
            try:
                if process is not None and process.ended:
                    process.end()
                    process = None
                process = process or self._started(folder)
                self._gone[folder.name] = process.do(folder)
            except Exception as error:  # Of whatever kind: the sweep is told.
                self._gone[folder.name] = f"no process does it: {reason(error)}"
        if process is not None:
            process.end()

    def _next(self) -> Path | None:
        """The folder of the next job; None where this thread has nothing left to do."""
        with self._lock:
            if self._waiting and not self._closed:
                return self._waiting.popleft()
            self._feeding.remove(threading.current_thread())
            return None

    def _started(self, folder: Path) -> Serving:
        with self._lock:
            if self._closed:
                raise SeqexpError("the sweep ends")
            self._serving = [each for each in self._serving if not each.ended]
            self._serving.append(Serving(self.cpus, folder))
            return self._serving[-1]

    def _close(self) -> None:
        """End the processes, in order if they do so in time."""
        with self._lock:
            self._closed = True
            serving, feeding = list(self._serving), list(self._feeding)
        until = time.monotonic() + PATIENCE
        for process in serving:
            process.hang_up()
        for process in serving:
            process.wait(until)
        for thread in feeding:
            thread.join(PATIENCE)


class Serving:
    """A process that waits for jobs and does them.

    Two pipes of its own join it to this process, for anything may be printed to stdout or read from
    stdin.

    Args:
        cpus: its cores.
        folder: of its first job, in which it logs until it begins another.
    """

    def __init__(self, cpus: int, folder: Path) -> None:
        asks, self._asking = os.pipe()
        self._answers, answering = os.pipe()
        environment = dict(os.environ)
        environment["PYTHONPATH"] = python_path()
        if not hasattr(os, "sched_setaffinity"):  # All cores are seen, then.
            environment[CORES] = str(cpus)
        # -P: no file where the command is called hides a module of Python's.
        command = [sys.executable, "-u", "-P", "-m", serve.__name__]
        try:
            with open(folder / LOG, "ab") as log:
                self._process = subprocess.Popen(
                    [*command, str(cpus), str(asks), str(answering)],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=environment,
                    pass_fds=(asks, answering),
                    # Control-C is for this process, which ends the others in order.
                    start_new_session=True,
                )
        except BaseException:
            os.close(self._asking)
            os.close(self._answers)
            raise
        finally:
            os.close(asks)
            os.close(answering)
        self._closing = threading.Lock()
        self._open = {self._asking, self._answers}

    @property
    def ended(self) -> bool:
        """Whether it has come to its end."""
        return self._process.poll() is not None

    def do(self, folder: Path) -> str:
        """Have it do a job; afterwards, or when it died, why the job is gone."""
        line = json.dumps(str(folder.absolute())) + "\n"
        with suppress(OSError):  # It is dead, or was hung up on.
            os.write(self._asking, line.encode())
            while not self.ended or select.select([self._answers], [], [], 0)[0]:
                if select.select([self._answers], [], [], LOOK)[0]:
                    if os.read(self._answers, 1):
                        return "it ended without a result"
                    break
        return _end(self._process.wait(), folder / LOG)

    def hang_up(self) -> None:
        """Let it end, whatever it does."""
        self._close(self._asking)

    def wait(self, until: float) -> None:
        """Wait for its end, which comes by force at a time of `time.monotonic`."""
        try:
            self._process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def end(self) -> None:
        """Let it end, and wait for that."""
        self.hang_up()
        self.wait(time.monotonic() + PATIENCE)
        self._close(self._answers)

    def _close(self, end: int) -> None:
        """Close an end of a pipe, once."""
        with self._closing:
            if end in self._open:
                self._open.remove(end)
                os.close(end)


def processes_of(cpus: int, asked: int | None, cores: int) -> int:
    """How many processes of `cpus` cores each run at once: as many as asked, or as there is room.

    Raises:
        SeqexpError: there are not so many cores.
    """
    count = max(1, cores // cpus) if asked is None else asked
    if count * cpus > cores:
        raise SeqexpError(
            f"executor=processes: {count} x {cpus} cores are asked for (executor.processes, "
            f"executor.cpus), and this process may use {cores}"
        )
    return count


def _end(code: int, log: Path) -> str:
    """How a process ended, and the last that it printed."""
    try:
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else ""
    except ValueError:
        how = f"was killed by signal {-code}"
    printed = ""
    with suppress(OSError):
        printed = last_line(log.read_text(encoding="utf-8", errors="replace"))
    said = f" ({printed})" if printed else ""
    return f"its process {how or f'ended with exit code {code}'}{said}"
