"""Cells over whole sequences, ours against each library's: the cell level, and the sweeps."""

from __future__ import annotations

from typing import Any

from contestants import checked
from problem import draw
from roofline import limit
from shapes import Case
from timing import Budget, Measured, interleaved


def measure(level: str, case: Case, threads: int, budget: Budget) -> list[dict[str, Any]]:
    """The rows of a case, one an opponent.

    Raises:
        ValueError: if an opponent's answer is not ours.
    """
    best = interleaved(checked(draw(case), threads), budget)
    ours = best.pop("ours")
    devices = int(ours.how.split()[0])
    fraction = None
    if level == "cell" and not case.ragged:
        fraction = limit(case, devices) / ours.seconds
    return [
        row(level, case, threads, 1, opponent, ours, devices, theirs)
        | {"roofline_fraction": None if fraction is None else round(fraction, 3)}
        for opponent, theirs in best.items()
    ]


def row(
    level: str,
    case: Case,
    threads: int,
    members: int,
    opponent: str,
    ours: Measured,
    devices: int,
    theirs: Measured,
) -> dict[str, Any]:
    """One measurement as it stands in results.json."""
    passes = "forward+backward" if case.backward else "forward"
    ours_ms, theirs_ms = (float(f"{m.seconds * 1e3:.5g}") for m in (ours, theirs))
    return {
        "level": level,
        "cell": case.cell,
        "pass": "training step" if level == "loop" else passes,
        "shape": list(case.shape),
        "ragged": case.ragged,
        "layers": case.layers,
        "bidirectional": case.bidirectional,
        "members": members,
        "threads": threads,
        "opponent": opponent,
        "ours_how": ours.how,
        "ours_devices": devices,
        "theirs_how": theirs.how,
        "ours_ms": ours_ms,
        "theirs_ms": theirs_ms,
        "ratio": float(f"{theirs_ms / ours_ms:.4g}"),
        "roofline_fraction": None,
        "runs": min(ours.runs, theirs.runs),
    }
