"""How long our layers and recurrences take beside those of public PyTorch implementations.

    python experiments/parity/times.py [NAMES...] [--steps N] [--compile] [--save]

Forward and backward in float32 on a CPU, a line a comparison. The numbers of both sides are
compared first: where they differ there are no times, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from comparisons import COMPARISONS, maker, refusal, versions
from speed_study import cpu

if TYPE_CHECKING:
    from forward_backward import Times
    from pairs import Sizes

RESULTS = Path(__file__).with_name("times.json")
DEVICES = 2
HEADINGS = "name", "ours", "theirs", "ours, ms", "theirs, ms", "threads", "theirs / ours"


def line(name: str, times: Times) -> str:
    """A row of the table."""
    comparison = COMPARISONS[name]
    way = f", {times.way}" if times.way else ""
    row = [name, comparison.ours, f"{comparison.theirs} ({comparison.package}){way}"]
    sizes = times.ours_ms, times.theirs_ms
    row += [f"{each:.{1 if each < 10 else 0}f}" for each in sizes]
    row += [str(times.threads), f"{times.theirs_ms / times.ours_ms:.2f}"]
    return f"| {' | '.join(row)} |"


def record(found: dict[str, Times], sizes: Sizes) -> dict[str, Any]:
    """What times.json holds."""
    header = {
        "date": datetime.date.today().isoformat(),
        "cpu": cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "devices": DEVICES,
        "versions": {"python": platform.python_version()} | versions(found),
        "sizes": sizes._asdict(),
    }
    return {"header": header, "rows": [{"name": name, **found[name]._asdict()} for name in found]}


def main(arguments: list[str] | None = None) -> int:
    """Time what is named, or all."""
    parser = argparse.ArgumentParser(description="Our layers and public PyTorch ones, timed.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(COMPARISONS))
    parser.add_argument("--steps", type=int, help="of a sequence; 512 if not given")
    parser.add_argument("--compile", action="store_true", help="theirs under torch.compile, too")
    parser.add_argument("--save", action="store_true", help="write times.json")
    options = parser.parse_args(arguments)
    names = options.names or list(COMPARISONS)
    if refused := refusal(names):
        parser.exit(2, f"{refused}\n")
    # Of theirs, about accelerators that are not there and what they no longer call by some name.
    warnings.simplefilter("ignore")
    jax.config.update("jax_num_cpu_devices", DEVICES)
    from forward_backward import Differ, timed
    from pairs import LARGE

    sizes = LARGE if options.steps is None else LARGE._replace(steps=options.steps)
    print(f"| {' | '.join(HEADINGS)} |\n|{'---|' * len(HEADINGS)}", flush=True)
    found, wrong = {}, []
    for name in names:
        rng = np.random.default_rng(0)
        try:
            found[name] = timed(maker(name), sizes, rng, DEVICES, options.compile)
            print(line(name, found[name]), flush=True)
        except Differ as error:
            wrong.append(f"{name}: {error}")
        # Programs keep their buffers.
        jax.clear_caches()
    if options.save:
        RESULTS.write_text(json.dumps(record(found, sizes), indent=1) + "\n")
    for each in wrong:
        print(each)
    return int(bool(wrong))


if __name__ == "__main__":
    raise SystemExit(main())
