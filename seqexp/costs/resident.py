"""Peak resident set: the most memory that a separate process takes."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from seqexp.types import SeqexpError


def peak_resident_bytes(work: Callable[..., Any], *args: Any) -> int:
    """Peak resident set of a new process that does nothing but `work(*args)`.

    Python, JAX and the compiler are in it, some hundred megabytes. The process is spawned: a fork
    would begin with all that this one holds, and forking after JAX has started hangs.

    Args:
        work: can be imported by its name, as its arguments can be pickled.
        args: its arguments.

    Raises:
        SeqexpError: if the process dies, for want of memory as a rule. What `work` raises comes
            through.
    """
    spawn = multiprocessing.get_context("spawn")
    answers, ours = spawn.Pipe(duplex=False)
    process = spawn.Process(target=_answer, args=(ours, work, *args), daemon=True)
    try:
        # It inherits that Control-C, which a terminal sends to all, is not for it to hear; but the
        # tracker would undo that as it starts.
        resource_tracker.ensure_running()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        ours.close()
        answer = answers.recv()
    except EOFError as error:
        raise SeqexpError(
            "the process whose memory was to be measured died, as it does where there is too "
            "little: measure a smaller model or shorter sequences"
        ) from error
    finally:
        answers.close()
        if process.pid is not None:
            process.kill()
            process.join()
    if isinstance(answer, BaseException):
        raise answer
    return answer


def _answer(answers: Connection, work: Callable[..., Any], *args: Any) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        answer = _peak_after(work, *args)
    except Exception as error:
        answer = error
    try:
        answers.send(answer)
    except Exception:  # It cannot be pickled.
        answers.send(RuntimeError(f"{type(answer).__name__}: {answer}"))


def _end_with_parent() -> None:
    """End this process when its parent has ended, however that came: with `kill -9` too."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _peak_after(work: Callable[..., Any], *args: Any) -> int:
    work(*args)
    try:
        # Not `getrusage`: it also counts what the parent held when it started this process.
        status = Path("/proc/self/status").read_text()
    except OSError:
        unit = 1 if sys.platform == "darwin" else 1024
        return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    (peak,) = (line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:"))
    return 1024 * int(peak)
