"""What the last inspection of a run tells, read with suspicion like all records."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

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
        numbers: of each kind by layer, NaN for one that was not finite.
        gradients: of each layer the median norm of the gradient, `[K]` for the lags 1 .. K; NaN
            where not known.
        memory: of each layer its memory curve, `[K + 1]` for the lags 0 .. K.
    """

    step: int
    numbers: Mapping[str, Mapping[str, float]]
    gradients: Mapping[str, np.ndarray]
    memory: Mapping[str, np.ndarray]


def read_inside(folder: Path) -> tuple[Inside | None, list[tuple[str, str]]]:
    """The last inspection of a run; None where there is none that can be read.

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
        {kind: numbers(line, kind) for kind in KINDS},
        {layer: own[1] for layer, own in of_kind(arrays, "gradient_by_lag").items()},
        of_kind(arrays, "memory"),
    )
    return found, problems
