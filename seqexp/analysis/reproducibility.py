"""How far a measured cost can be trusted: what it varies by when one program is measured again."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from seqexp.analysis.axes import TABLED, measured
from seqexp.analysis.load import Study
from seqexp.analysis.machines import machine

ENOUGH = 8
"""With so many degrees of freedom a study tells the spread of its own measurements."""

MEASURED = ("seconds", "per_second", "peak_", "joules")
"""What is in the names of the figures of a ledger that are measured; the others are counted."""

TEXTS = ("methods", "reasons")


class Spread(NamedTuple):
    """What measurements of one program vary by.

    Attributes:
        relative: the standard deviation of the logarithm of the cost.
        freedom: the degrees of freedom that it is known by, in this study; 0 where the one that is
            stated with the axis stands for it.
    """

    relative: float
    freedom: int


def spreads(study: Study) -> dict[str, Spread]:
    """Of each cost that is measured, the spread between measurements of the same program.

        sigma^2 = sum_p sum_i (log c_pi - mean_i log c_pi)^2 / sum_p (n_p - 1)

    over all programs p of the study that were measured n_p > 1 times on machines that are alike.
    The quartiles of a ledger are no substitute: within one measurement a step varies less than from
    one measurement to the next. Where the study holds fewer than `ENOUGH` repetitions, the spread
    that the axis states.
    """
    programs: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for files in study.files.values():
        programs[_program(files.run.task, files.cost, files.manifest)].append(files.cost)
    found = {}
    for axis in measured(TABLED):
        squares, freedom = 0.0, 0
        for ledgers in programs.values():
            logs = np.log(_distinct(ledger.get(axis.key) for ledger in ledgers))
            if len(logs) > 1:
                squares += float(np.sum((logs - logs.mean()) ** 2))
                freedom += len(logs) - 1
        own = freedom >= ENOUGH
        relative = float(np.sqrt(squares / freedom)) if own else axis.spread
        found[axis.key] = Spread(relative, freedom if own else 0)
    return found


def measurements(costs: Iterable[float]) -> int:
    """How often a cost was measured, at least once: the runs of a group share one measurement."""
    return max(1, len(_distinct(costs)))


def _distinct(costs: Iterable[float | None]) -> np.ndarray:
    known = np.array([np.nan if cost is None else cost for cost in costs], dtype=float)
    return np.unique(known[np.isfinite(known) & (known > 0)])


def _program(task: str, cost: Mapping[str, Any], manifest: Mapping[str, Any]) -> str:
    """What is counted of a run's program, and what ran it: programs that agree in all of it are
    taken for one."""
    counted = {
        key: value
        for key, value in cost.items()
        if key not in TEXTS and not any(part in key for part in MEASURED)
    }
    return json.dumps([task, machine(manifest), counted], sort_keys=True)
