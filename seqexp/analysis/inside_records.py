"""What the last inspection of a run tells, read with suspicion like all records."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from seqexp.analysis.clipping import ClippingShares, recorded_clipping
from seqexp.runs.inspections import INSPECTIONS, numbers, of_kind, read_arrays, read_inspections
from seqexp.runs.store import Damaged

KINDS = ("half_life", "memory_capacity", "saturated", "effective_rank")
"""The numbers of each layer that a report compares."""

CURVES = ("gradient_by_lag", "memory")
"""The curves of each layer that it compares."""


class Inside(NamedTuple):
    """The last inspection of a run.

    Attributes:
        step: of training.
        numbers: of each kind by layer, NaN for one that was not finite; a half-life is infinite
            where the gradient does not decay.
        gradients: of each layer the median norm of the gradient, `[K]` for the lags 1 .. K; NaN
            where not known.
        memory: of each layer its memory curve, `[K + 1]` for the lags 0 .. K.
        clipping: how often the gradient was clipped in training.
    """

    step: int
    numbers: Mapping[str, Mapping[str, float]]
    gradients: Mapping[str, np.ndarray]
    memory: Mapping[str, np.ndarray]
    clipping: ClippingShares


def read_inside(
    folder: Path, metrics: Sequence[Mapping[str, Any]], config: Mapping[str, Any]
) -> tuple[Inside | None, list[tuple[str, str]]]:
    """The last inspection of a run; None where there is none that can be read.

    Args:
        folder: of the run.
        metrics: the lines of its metrics.jsonl.
        config: of the run.

    Returns:
        It, and of each file that can't be read its name and why.
    """
    if not (folder / INSPECTIONS).exists():
        return None, []
    try:
        lines = read_inspections(folder)
    except Damaged as error:
        return None, [(INSPECTIONS, f"{error.what}; the file is left out")]
    if not lines:
        return None, []
    line, problems, arrays = lines[-1], [], {}
    try:
        arrays = read_arrays(folder, line["step"], *CURVES)
    except Damaged as error:
        problems = [(INSPECTIONS, f"{error.what}; its curves are left out")]
    found = Inside(
        line["step"],
        {kind: numbers(line, kind) for kind in KINDS} | {"half_life": _half_lives(line)},
        {layer: own[1] for layer, own in of_kind(arrays, "gradient_by_lag").items()},
        of_kind(arrays, "memory"),
        recorded_clipping(metrics, config),
    )
    return found, problems


def _half_lives(line: Mapping[str, Any]) -> dict[str, float]:
    found, endless = numbers(line, "half_life"), line.get("no_decay")
    if isinstance(endless, list):
        found |= {layer: math.inf for layer in endless if layer in found}
    return found
