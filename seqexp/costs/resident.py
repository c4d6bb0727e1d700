"""Peak resident set: the most memory that a process of its own takes from the machine."""

from __future__ import annotations

import multiprocessing
import resource
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
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
    with ProcessPoolExecutor(1, mp_context=spawn) as process:
        try:
            return process.submit(_peak_after, work, *args).result()
        except BrokenProcessPool as error:
            raise SeqexpError(
                "the process whose memory was to be measured died, as it does where there is too "
                "little: measure a smaller model or shorter sequences"
            ) from error


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
