"""What stands in results.json: a header, and one row a measurement."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
RESULTS = FOLDER / "results.json"

ROW: dict[str, tuple[type, ...]] = {
    "level": (str,),  # cell, loop or sweep
    "cell": (str,),
    "pass": (str,),  # forward, forward+backward or training step
    "shape": (list,),  # batch, time, input, hidden
    "ragged": (bool,),
    "layers": (int,),
    "bidirectional": (bool,),
    "members": (int,),
    "threads": (int,),
    "opponent": (str,),
    "ours_how": (str,),  # the faster of our ways
    "ours_devices": (int,),
    "theirs_how": (str,),  # the fastest of theirs
    "ours_ms": (float,),  # of a training step and member, at the loop level
    "theirs_ms": (float,),
    "ratio": (float,),  # theirs / ours
    "roofline_fraction": (float, type(None)),  # the limit / ours
    "runs": (int,),  # the fewer of the timed runs of both
}
HEADER: dict[str, tuple[type, ...]] = {
    "machine": (dict,),  # cpu, cores
    "versions": (dict,),
    "command": (str,),
    "date": (str,),
    "quick": (bool,),
    "repeats": (dict,),
    "minutes": (float,),
    "left_out": (list,),
    "failures": (list,),
}


def check(results: Mapping[str, Any]) -> None:
    """Raise ValueError, naming it, for a key of the header or of a row that is not as it should."""
    _check(results["header"], HEADER, "header")
    for number, row in enumerate(results["rows"]):
        _check(row, ROW, f"row {number}")
        if abs(row["ratio"] - row["theirs_ms"] / row["ours_ms"]) > 1e-3 * row["ratio"]:
            raise ValueError(f"row {number}: ratio is not theirs_ms / ours_ms")


def load(path: Path = RESULTS) -> dict[str, Any]:
    """The results of the last run, checked."""
    results = json.loads(path.read_text())
    check(results)
    return results


def save(results: Mapping[str, Any], path: Path = RESULTS) -> None:
    """Write the results, a row a line: all of them or, if that fails, nothing."""
    check(results)
    lines = ",\n".join(json.dumps(row) for row in results["rows"])
    header = json.dumps(results["header"], indent=1)
    draft = path.with_suffix(".part")
    draft.write_text(f'{{"header": {header},\n"rows": [\n{lines}\n]}}\n')
    os.replace(draft, path)


def _check(found: Mapping[str, Any], wanted: Mapping[str, tuple[type, ...]], where: str) -> None:
    if set(found) != set(wanted):
        raise ValueError(f"{where}: missing or unknown keys {sorted(set(found) ^ set(wanted))}")
    for key, kinds in wanted.items():
        if type(found[key]) not in kinds:
            raise ValueError(f"{where}: {key} is {found[key]!r}")


def cpu() -> str:
    """The processor's name, where the system tells it."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
