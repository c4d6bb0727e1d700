"""What products in bfloat16 gain every layer of the menu, forward and backward.

    python experiments/speed/precisions.py [--steps N] [NAME ...]

One layer as its file in `conf/layer` makes it, with its block, at (batch 8, time 512, width 256),
the batch split over two cores; both precisions in turns. Prints a table.
"""

from __future__ import annotations

import argparse
import os
import sys

import jax
from menu_layers import TURNS, Pass, menu
from shapes import Shape
from timing import Budget, Contestant, interleaved

from seqexp.training.precision import PRECISIONS, fast_products

BUDGET = Budget(seconds=0.0, rounds=7)


def measured(name: str, steps: int, devices: int) -> list[float]:
    """Milliseconds of forward and backward, in each of `PRECISIONS`."""
    passes = [Pass(name, Shape(8, steps, 256, 256), devices, each) for each in PRECISIONS]
    contestants = [
        Contestant(precision, "", each.run)
        for precision, each in zip(PRECISIONS, passes, strict=True)
    ]
    for contestant in contestants:
        contestant.run()
    found = interleaved(contestants, BUDGET)
    return [1e3 * found[precision].seconds / TURNS for precision in PRECISIONS]


def main(arguments: list[str]) -> int:
    """Measure and print; the exit code."""
    parser = argparse.ArgumentParser(description="What products in bfloat16 gain.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="layers; all of them if none")
    parser.add_argument("--steps", type=int, default=512, help="of a sequence (512)")
    options = parser.parse_args(arguments)
    if unknown := sorted(set(options.names) - set(menu())):
        parser.error(f"no layer {', '.join(unknown)}: there are {', '.join(menu())}")
    devices = min(2, len(os.sched_getaffinity(0)))
    jax.config.update("jax_num_cpu_devices", devices)
    print(f"products of bfloat16 by {fast_products() or 'float32'}, {devices} cores")
    print(f"| layer | {', ms | '.join(PRECISIONS)}, ms | ratio |\n|---|---|---|---|")
    for name in options.names or menu():
        full, low = measured(name, options.steps, devices)
        print(f"| `{name}` | {full:.1f} | {low:.1f} | {full / low:.2f} |", flush=True)
        # Programs keep their buffers.
        jax.clear_caches()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
