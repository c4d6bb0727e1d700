"""How near every layer of the menu is to the least time of its own form on this machine.

    python experiments/speed/architectures.py [--quick] [NAME ...]

Forward and backward at (batch 8, time 2,048, width 256), the batch split over two cores, one layer
as its file in `conf/layer` makes it, with its block. Prints a table, and writes
`architectures.json` unless some names were asked for alone or it is quick, which takes 256 steps.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
from menu_layers import TURNS, Pass, menu
from rows import cpu
from shapes import Shape
from timing import Budget, Contestant, interleaved

RESULTS = Path(__file__).parent / "architectures.json"
SHAPE, QUICK = Shape(8, 2048, 256, 256), Shape(8, 256, 256, 256)
BUDGET = Budget(seconds=0.0, rounds=3)
HEADINGS = "layer", "ms", "roofline", "products", "memory", "turns", "functions"
RATIOS = "time / roofline", "time / (roofline + functions)"


def measured(name: str, shape: Shape, devices: int) -> dict[str, Any]:
    """A layer's time and the parts of its roofline, in milliseconds."""
    layer = Pass(name, shape, devices)
    layer.run()
    only = [Contestant(name, "", layer.run)]
    # Before and after, so that what the machine did meanwhile befalls both.
    before = interleaved(only, BUDGET)[name].seconds
    least = layer.roofline
    after = interleaved(only, BUDGET)[name].seconds
    seconds = (before + after) / 2 / TURNS
    parts = {part: round(1e3 * value, 3) for part, value in least._asdict().items()}
    return {
        "layer": name,
        "ms": round(1e3 * seconds, 3),
        "roofline": round(1e3 * least.seconds, 3),
        **parts,
        RATIOS[0]: round(seconds / least.seconds, 3),
        RATIOS[1]: round(seconds / (least.seconds + least.functions), 3),
    }


def line(row: dict[str, Any]) -> str:
    """A row of the table."""
    sizes = [f"{row[name]:.{1 if row[name] < 10 else 0}f}" for name in HEADINGS[1:]]
    ratios = [f"{row[name]:.2f}" for name in RATIOS]
    return f"| {' | '.join([row['layer'], *sizes, *ratios])} |"


def header(shape: Shape, devices: int) -> dict[str, Any]:
    """What was measured, on what, when."""
    git = ["git", "-C", str(RESULTS.parent), "rev-parse", "HEAD"]
    found = subprocess.run(git, capture_output=True, text=True, check=False)
    return {
        "shape": shape._asdict(),
        "devices": devices,
        "date": datetime.date.today().isoformat(),
        "cpu": cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "versions": {name: importlib.metadata.version(name) for name in ("jax", "jaxlib", "flax")}
        | {"python": platform.python_version()},
        "revision": found.stdout.strip() or None,
    }


def main(arguments: list[str]) -> int:
    """Measure, print, and write; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="layers; all of them if none")
    parser.add_argument("--quick", action="store_true", help="256 steps, and nothing is written")
    options = parser.parse_args(arguments)
    if unknown := sorted(set(options.names) - set(menu())):
        parser.error(f"no layer {', '.join(unknown)}: there are {', '.join(menu())}")
    devices = min(2, len(os.sched_getaffinity(0)))
    jax.config.update("jax_num_cpu_devices", devices)
    shape = QUICK if options.quick else SHAPE
    print(f"| {' | '.join(HEADINGS + RATIOS)} |\n|---{'|---' * (len(HEADINGS + RATIOS) - 1)}|")
    rows = []
    for name in options.names or menu():
        rows.append(measured(name, shape, devices))
        print(line(rows[-1]), flush=True)
        # Programs keep their buffers.
        jax.clear_caches()
    if not options.names and not options.quick:
        found = {"header": header(shape, devices), "rows": rows}
        RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
