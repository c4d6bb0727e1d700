"""How many cores this process may use."""

from __future__ import annotations

import os

CORES = "SEQEXP_CORES"
"""The environment variable by which a process tells another how many cores are its own, where the
system can't limit it to them."""


def usable_cores() -> int:
    """Those that the system lets it run on, where it says so; else those that whoever started this
    process left to it, or all of the machine."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return int(os.environ.get(CORES) or os.cpu_count() or 1)
