"""One part of the study, in a process of its own, as the number of cores is settled at its start.

    python part.py PART THREADS FILE SCOPE

Prints each measurement as it comes, and leaves rows and failures in FILE.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from shapes import Scope, cell_cases, cells, sweep_cases

Measurement = tuple[str, Callable[[], list[dict[str, Any]]]]

BUDGETS = {  # seconds for each contestant, and rounds at least
    "cell": (0.15, 5),
    "sweep": (0.15, 5),
    "loop": (0.0, 5),
}
QUICK = {"cell": (0.05, 3), "sweep": (0.05, 3), "loop": (0.0, 3)}
STEPS, QUICK_STEPS = 25, 10
"""Training steps in a turn of a loop."""


def measurements(part: str, threads: int, scope: Scope) -> Iterator[Measurement]:
    """What a part measures: names, and functions that give the rows."""
    import cell_level
    import loop_level
    from timing import Budget

    quick = scope == "quick"
    budget = Budget(*(QUICK if quick else BUDGETS)[part])
    if part == "loop":
        steps = QUICK_STEPS if quick else STEPS
        for cell in cells(scope):
            yield f"loop {cell}", partial(loop_level.measure, cell, steps, budget)
        return
    for case in cell_cases(scope, threads) if part == "cell" else sweep_cases(scope):
        yield str(case), partial(cell_level.measure, part, case, threads, budget)


def main(part: str, threads: int, file: Path, scope: Scope) -> None:
    """Measure a part and write what came out, be it a failure."""
    # Before jax and torch start: both count the cores they may use.
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    rows: list[dict[str, Any]] = []
    failures: list[str] = []
    where = f"{part}, {threads} thread" + "s" * (threads > 1)
    try:
        import jax

        jax.config.update("jax_num_cpu_devices", threads)
        planned = list(measurements(part, threads, scope))
    except Exception as error:
        planned = []
        failures.append(_reason(where, error))
    for number, (name, measure) in enumerate(planned, start=1):
        start = time.perf_counter()
        try:
            found = measure()
        except Exception as error:
            failures.append(_reason(f"{where}: {name}", error))
            continue
        rows += found
        took = time.perf_counter() - start
        progress = f"[{number}/{len(planned)}] {where}: {name}"
        print(f"{progress}: {_said(found)} [{took:.1f} s]", flush=True)
    file.write_text(json.dumps({"rows": rows, "failures": failures}))


def _said(rows: list[dict[str, Any]]) -> str:
    """A measurement in a line: our time, and how many times it each opponent takes."""
    ratios = ", ".join(f"{row['opponent']} {row['ratio']:.2f}" for row in rows)
    return f"ours {rows[0]['ours_ms']:.4g} ms ({rows[0]['ours_how']}); times ours: {ratios}"


def _reason(where: str, error: Exception) -> str:
    traceback.print_exc()
    return f"{where}: {type(error).__name__}: {error}"


if __name__ == "__main__":
    PART, THREADS, FILE, SCOPE = sys.argv[1:]
    main(PART, int(THREADS), Path(FILE), SCOPE)  # type: ignore
