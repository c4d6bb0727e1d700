"""Measured costs once more: what they vary by, and how they grow, found without seqexp."""

from __future__ import annotations

import json
import math
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from slow_records import GROWING, Run, group_by
from slow_statistics import mean, power_law

STATED = {"step_seconds": 0.13, "decode_seconds_per_token": 0.47}
STATED |= {"prefill_seconds": 0.22, "compile_seconds": 0.09}
"""What experiments/budgets found measured costs to vary by, as a relative standard deviation."""


def measurement_spreads(runs: Sequence[Run]) -> dict[str, tuple[float, int]]:
    """Of each measured cost the standard deviation of its logarithm between measurements of
    programs that agree in all that is counted, with its degrees of freedom; what is stated, with
    none, where fewer than 8 tell."""

    def program(run: Run) -> str:
        timed = re.compile(r"methods|reasons|second|joules|peak")
        counted = [(k, v) for k, v in sorted(run.cost.items()) if not timed.search(k)]
        return json.dumps([run.said["task"], counted])

    found = {}
    for key, stated in STATED.items():
        deviations, freedom = 0.0, 0
        for same in group_by(runs, program).values():
            known = {run.cost[key] for run in same if run.cost.get(key) is not None}
            logs = [math.log(cost) for cost in known]
            deviations += sum((x - mean(logs)) ** 2 for x in logs)
            freedom += max(0, len(logs) - 1)
        enough = freedom >= 8
        found[key] = (math.sqrt(deviations / freedom), freedom) if enough else (stated, 0)
    return found


def growths(study: Path) -> dict[tuple[str, str, str], dict[str, dict[str, Any]]]:
    """The exponent of each cost by task, model and what was varied, as `seqexp cost` measured."""
    points: dict[tuple[str, str, str], list[dict[str, Any]]] = defaultdict(list)
    for path in sorted(study.glob("cost/*/cost.json")):
        for one in json.loads(path.read_text())["measured"]:
            if one["varied"]:
                points[one["task"], one["label"], one["varied"]].append(one)
    found: dict[tuple[str, str, str], dict[str, dict[str, Any]]] = {}
    for key, measured in points.items():
        fits = {}
        for cost in GROWING:
            told = [(one[key[2]], one["cost"].get(cost)) for one in measured]
            told = [(size, value) for size, value in told if value]
            if len({size for size, _ in told}) > 1:
                fits[cost] = power_law(told) | {"points": sorted(told)}
        found[key] = fits
    return found
