"""Energy, where the machine counts it: Intel's and AMD's RAPL counters of the processor."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from seqexp.cores import usable_cores
from seqexp.types import SeqexpError

POWERCAP = Path("/sys/class/powercap")

MICROJOULES = 1e-6


def read_counters(folder: Path = POWERCAP) -> dict[Path, int]:
    """What the counter of each processor package stands at, in microjoules.

    Empty where there is none, or none that this user may read (most Linux systems keep them to
    root). Accelerators and memory are not among them.

    Source: the kernel's powercap interface,
    https://docs.kernel.org/power/powercap/powercap.html
    """
    counters = {}
    for zone in sorted(folder.glob("intel-rapl:*")):
        try:
            # Zones within a package, and the one of the whole platform, would count it twice.
            if zone.joinpath("name").read_text().startswith("package"):
                counters[zone] = int(zone.joinpath("energy_uj").read_text())
        except (OSError, ValueError):
            continue
    return counters


def own_counters() -> dict[Path, int]:
    """`read_counters`, for a process that has all cores of the machine.

    Raises:
        SeqexpError: it has a part of them: the counters count what runs on the others, too.
    """
    if usable_cores() < (os.cpu_count() or 1):
        raise SeqexpError(
            "energy is counted of whole processors, and this process has a part of their cores"
        )
    return read_counters()


def joules_since(before: Mapping[Path, int]) -> float | None:
    """Joules of all packages since `read_counters`; None where it found none.

    A counter that has come to its end and begun anew, once, is allowed for.
    """
    total = 0
    for zone, start in before.items():
        try:
            end = int(zone.joinpath("energy_uj").read_text())
            span = int(zone.joinpath("max_energy_range_uj").read_text())
        except (OSError, ValueError):
            return None
        total += end - start if end >= start else end - start + span
    return total * MICROJOULES if before else None
