"""Programs timed in turn, so that what the machine does meanwhile befalls all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import Any


def in_turns(programs: Mapping[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Median seconds of each program, one run in each round after a first that does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in programs}
    for counted in [False, *[True] * rounds]:
        for name, run in programs.items():
            start = time.perf_counter()
            run()
            if counted:
                seconds[name].append(time.perf_counter() - start)
    return {name: median(each) for name, each in seconds.items()}
