"""Cores of its own for each job of a machine, where the scheduler gives it none."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from seqexp.types import SeqexpError


@contextmanager
def own_cores(count: int | None) -> Iterator[None]:
    """Within, this process runs on so many cores, that no other job of ours has.

    Jobs that run side by side would otherwise spread over all cores, each as slow as the others
    make it. A machine's jobs agree by locked files in its temporary folder, which the system
    unlocks when a process ends, however it does. Nothing changes where the scheduler has bound the
    process to no more cores than these.

    Args:
        count: of the cores; None for all that there are.

    Raises:
        SeqexpError: jobs of ours have all cores but fewer than these.
    """
    if count is None or not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    if len(before) <= count:
        yield
        return
    with ExitStack() as held:
        mine: set[int] = set()
        for core in sorted(before):
            if len(mine) < count and (file := _locked(core)):
                held.enter_context(file)
                mine.add(core)
        if len(mine) < count:
            raise SeqexpError(
                f"a job asks for {count} cores, and of {len(before)} here other jobs leave "
                f"{len(mine)}: let the scheduler start fewer at once"
            )
        os.sched_setaffinity(0, mine)
        try:
            yield
        finally:
            os.sched_setaffinity(0, before)


def _locked(core: int) -> IO[bytes] | None:
    """The open and locked file of a core; None where another process has it."""
    folder = Path(tempfile.gettempdir()) / f"seqexp-cores-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    file = open(folder / str(core), "ab")  # As long as it is open, it is locked.
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file
