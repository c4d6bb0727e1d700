"""The speed study: `python experiments/speed/run.py [--quick | --training]`, or `make speed`.

Runs the parts one after another, each in a process of its own, and writes results.json after each;
in the end, unless quick, also the README's tables and the plot. The exit code is 1 if anything
failed; what succeeded is written all the same, and the failures with it.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import importlib.util
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import plots
import tables
from part import BUDGETS, QUICK, QUICK_STEPS, STEPS
from rows import FOLDER, RESULTS, cpu, save
from shapes import Scope, parts
from timing import TURN

COMMANDS: dict[Scope, str] = {
    "full": "make speed",
    "training": ".venv/bin/python experiments/speed/run.py --training",
    "quick": "make speed QUICK=1",
}
LIBRARIES = ("jax", "jaxlib", "flax", "optax", "numpy", "torch", "keras")


def main(arguments: list[str]) -> int:
    """Run the study; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    less = parser.add_mutually_exclusive_group()
    less.add_argument("--quick", action="store_true", help="one small shape, few repeats")
    less.add_argument(
        "--training", action="store_true", help="single layers backward, and loops, on two threads"
    )
    parser.add_argument("--out", type=Path, default=RESULTS, help="where to write the results")
    options = parser.parse_args(arguments)
    if sys.platform != "linux":
        print("the study needs Linux: it limits cores by sched_setaffinity", file=sys.stderr)
        return 1
    start = time.monotonic()
    cores = len(os.sched_getaffinity(0))
    left_out = [
        f"{library} is not installed: pip install '.[speed]'"
        for library in ("torch", "keras")
        if importlib.util.find_spec(library) is None
    ]
    if cores < 2:
        left_out.append("this process may use one core only: nothing was measured on two")
    for reason in left_out:
        print(f"left out: {reason}", flush=True)
    rows: list[dict[str, Any]] = []
    failures: list[str] = []
    scope: Scope = "quick" if options.quick else "training" if options.training else "full"
    planned = parts(scope, min(cores, 2))
    for number, (part, threads) in enumerate(planned, start=1):
        found = run_part(part, threads, scope)
        rows += found["rows"]
        failures += found["failures"]
        minutes = round((time.monotonic() - start) / 60, 1)
        # Whoever stops here finds in the file what is missing from it.
        waiting = [f"{name} on {n} thread(s), not measured yet" for name, n in planned[number:]]
        head = header(scope, minutes, left_out + waiting, failures)
        results = {"header": head, "rows": rows}
        if rows:
            save(results, options.out)
    print(f"\n{tables.aims_table(rows)}\n\n{len(rows)} measurements in {minutes} minutes")
    if rows and scope != "quick" and options.out == RESULTS:
        tables.write(results)
        plots.write(results)
    for failure in failures:
        print(f"FAILED {failure}", file=sys.stderr)
    return 1 if failures or not rows else 0


def run_part(part: str, threads: int, scope: Scope) -> dict[str, Any]:
    """The rows and failures of a part, from a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.json"
        done = subprocess.run(
            [sys.executable, str(FOLDER / "part.py"), part, str(threads), str(file), scope],
            env=os.environ | {"JAX_PLATFORMS": "cpu", "KERAS_HOME": folder},
            check=False,
        )
        if done.returncode or not file.exists():
            reason = f"{part}, {threads} threads: the process ended with code {done.returncode}"
            return {"rows": [], "failures": [reason]}
        return json.loads(file.read_text())


def header(
    scope: Scope, minutes: float, left_out: list[str], failures: list[str]
) -> dict[str, Any]:
    """What the rows were measured with."""
    quick = scope == "quick"
    installed = {
        library: importlib.metadata.version(library)
        for library in LIBRARIES
        if importlib.util.find_spec(library) is not None
    }
    budgets = {
        part: {"seconds a contestant": seconds, "rounds at least": rounds}
        for part, (seconds, rounds) in (QUICK if quick else BUDGETS).items()
    }
    return {
        "machine": {
            "cpu": cpu(),
            "cores": len(os.sched_getaffinity(0)),
            "system": f"{platform.system()} {platform.machine()}",
        },
        "versions": {"python": platform.python_version()} | installed,
        "command": COMMANDS[scope],
        "date": datetime.date.today().isoformat(),
        "quick": quick,
        "repeats": {
            "seconds a turn at least": TURN,
            "training steps a turn": QUICK_STEPS if quick else STEPS,
        }
        | budgets,
        "minutes": minutes,
        "left_out": left_out,
        "failures": failures,
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
