"""Compiled programs that a process no longer needs."""

from __future__ import annotations

import gc
from pathlib import Path

import jax

MAPPINGS = Path("/proc/self/maps")
MANY = 15_000
"""Linux gives a process 65,530 mappings of memory; XLA takes several for each program that it
compiles for a CPU, about 700 for those of a group. Beyond, a process dies of a segmentation fault.
"""


def mappings() -> int:
    """How many mappings of memory the process has; 0 elsewhere than on Linux."""
    if not MAPPINGS.exists():
        return 0
    with MAPPINGS.open("rb") as lines:
        return sum(1 for _ in lines)


def drop_programs(many: int = MANY) -> bool:
    """Forget what JAX has traced and compiled, once the process has more than so many mappings.

    JAX keeps its programs for good, and their memory. One that is called again is compiled again.

    Returns:
        Whether they were dropped.
    """
    if mappings() <= many:
        return False
    jax.clear_caches()
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    return True
