"""Cores of its own for each job of a machine, where the scheduler gives it none."""

from __future__ import annotations

import fcntl
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

POLL = 0.5
"""Seconds between two tries, and up to twice that."""


@contextmanager
def own_cores(count: int | None) -> Iterator[None]:
    """Within, this process runs on so many cores, that no other job of ours has.

    Jobs that run side by side would otherwise spread over all cores, each as slow as the others
    make it. A machine's jobs agree by locked files in its temporary folder, which the system
    unlocks when a process ends, however it does; one that finds too few cores free waits. Where a
    machine has fewer cores than these, or the scheduler gives fewer, it is all of them.

    Args:
        count: of the cores; None for all that there are, whoever else uses them.
    """
    if count is None or not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    with _held(sorted(before), min(count, len(before))) as mine:
        os.sched_setaffinity(0, mine)
        try:
            yield
        finally:
            os.sched_setaffinity(0, before)


@contextmanager
def _held(cores: Sequence[int], count: int) -> Iterator[set[int]]:
    """So many of these cores, as soon as they are free; those that are locked while it waits for
    more are given back, so that no two processes wait for each other."""
    told = False
    while True:
        with ExitStack() as held:
            mine: set[int] = set()
            for core in cores:
                if len(mine) < count and (file := _locked(core)):
                    held.enter_context(file)
                    mine.add(core)
            if len(mine) == count:
                yield mine
                return
        if not told:
            print(f"waiting for {count} cores: other jobs have them", file=sys.stderr, flush=True)
            told = True
        time.sleep(POLL * (1 + random.random()))


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
