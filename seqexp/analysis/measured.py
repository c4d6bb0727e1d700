"""What `seqexp cost` measured for a study, read with suspicion, as the records of runs are."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from seqexp.analysis.axes import GROWING
from seqexp.analysis.records import Problem
from seqexp.runs.schema import COST

FORMAT = 1
FOLDER = "cost"
"""Within the folder of a study: it holds a folder a call of `seqexp cost`."""

PLACE = ("task", "label", "varied", "length", "width")
COLUMNS = [*PLACE, "model", "device", "command", *(axis.key for axis in GROWING)]


def read_measured(studies: Iterable[Path]) -> tuple[pd.DataFrame, list[Problem]]:
    """The measurements in the `cost` folders of studies, in which a length or a width was varied.

    Returns:
        A row a measurement: the `task`, the `label` of the model and its `model`, what was `varied`
        ("length" or "width"), the `length`, the `width`, the `device`, the `command` that measured
        it, and the costs of `GROWING`, NaN where they are not known; and what was left out: files
        that can not be read, and what was measured again in another of them, for times of two calls
        do not go together.
    """
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    read_from: dict[tuple[Any, ...], str] = {}
    problems = []
    for path in (path for study in studies for path in sorted(study.glob(f"{FOLDER}/*/{COST}"))):
        where = str(path.relative_to(path.parents[3]))
        try:
            found = list(_rows(json.loads(path.read_bytes())))
        except (OSError, ValueError, ArithmeticError, TypeError, LookupError, AttributeError):
            problems.append(Problem(where, "malformed, or of another version; it is left out"))
            continue
        again: dict[str, int] = {}
        for row in found:
            # Two calls may have measured the same model: one of them is shown, as a whole.
            model = (row["task"], row["label"], row["varied"])
            first = read_from.setdefault(model, where)
            if first == where:
                rows[tuple(row.get(key) for key in PLACE)] = row
            else:
                again[first] = again.get(first, 0) + 1
        for first, number in again.items():
            what = f"{number} measurements are of what {first} tells; they are left out"
            problems.append(Problem(where, what))
    table = pd.DataFrame(list(rows.values()), columns=pd.Index(COLUMNS))
    return table.astype({axis.key: float for axis in GROWING}), problems


def _rows(record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Raises one of Python's own errors for what `seqexp cost` would not have written."""
    if record["format"] != FORMAT:
        raise ValueError(record["format"])
    device = str(record["manifest"].get("device_kind"))
    command = shlex.join(map(str, record["manifest"].get("command") or []))
    for each in record["measured"]:
        if each["varied"] in ("length", "width"):
            names = {key: str(each[key]) for key in ("task", "label", "model", "varied")}
            sizes = {key: int(each[key]) for key in ("length", "width") if each[key] is not None}
            if sizes[names["varied"]] < 1:
                raise ValueError(sizes)
            costs = {axis.key: _number(each["cost"].get(axis.key)) for axis in GROWING}
            yield {**names, **sizes, "device": device, "command": command, **costs}


def _number(cost: float | None) -> float:
    return math.nan if cost is None else float(cost)
