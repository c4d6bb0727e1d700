"""Our layers and recurrences against public PyTorch implementations, with the same parameters.

    python experiments/parity/run.py [NAMES...] [--save]

Outputs, final states, and the gradients of inputs and of every parameter, in float64 on a CPU;
one line a comparison. The exit code is 1 if one differs by more than its tolerance.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from comparing import Differences
from comparisons import COMPARISONS, maker, refusal, versions

RESULTS = Path(__file__).with_name("results.json")


def seeded() -> np.random.Generator:
    """The random numbers of a comparison."""
    return np.random.default_rng(0)


def line(name: str, found: Differences) -> str:
    """One row of the table."""
    comparison = COMPARISONS[name]
    row = [name, comparison.ours, f"{comparison.theirs} ({comparison.package})"]
    parts = found.outputs, found.states, found.inputs, found.parameters
    row += ["–" if part is None else f"{part:.0e}" for part in parts]
    return f"| {' | '.join(row)} |"


def record(found: dict[str, Differences]) -> dict[str, Any]:
    """What results.json holds."""
    rows = [
        {"name": name, **COMPARISONS[name]._asdict(), **differences._asdict()}
        for name, differences in found.items()
    ]
    for row in rows:
        del row["needs"], row["module"]
    header = {"python": platform.python_version(), "machine": platform.machine()}
    return {"header": header | {"versions": versions(found)}, "rows": rows}


def main(arguments: list[str] | None = None) -> int:
    """Compare what is named, or all."""
    parser = argparse.ArgumentParser(description="Our layers against public PyTorch ones.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(COMPARISONS))
    parser.add_argument("--save", action="store_true", help="write results.json")
    options = parser.parse_args(arguments)
    names = options.names or list(COMPARISONS)
    if refused := refusal(names):
        parser.exit(2, f"{refused}\n")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # Of theirs, about accelerators that are not there and what they no longer call by some name.
    warnings.simplefilter("ignore")
    from pairs import SMALL, compared

    print("| name | ours | theirs | outputs | final state | d inputs | d parameters |")
    print("|---|---|---|---|---|---|---|", flush=True)
    found, wrong = {}, []
    for name in names:
        rng = seeded()
        found[name] = compared(maker(name), SMALL, rng)
        print(line(name, found[name]), flush=True)
        if not found[name].largest < COMPARISONS[name].tolerance:
            wrong.append(f"{name} differs by {found[name].largest:.1e} ({found[name].where})")
    if options.save:
        RESULTS.write_text(json.dumps(record(found), indent=1) + "\n")
    for each in wrong:
        print(each)
    return int(bool(wrong))


if __name__ == "__main__":
    raise SystemExit(main())
