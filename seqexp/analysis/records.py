"""The files of one run, read with suspicion: what can not be read is named, never guessed."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, get_args

from seqexp.analysis.axes import NUMBERS
from seqexp.analysis.inside_records import Inside, read_inside
from seqexp.runs.identity import recorded_identity
from seqexp.runs.schema import (
    COST,
    MANIFEST,
    METRICS,
    RUN,
    SAMPLES,
    TIMING,
    WEIGHTS,
    Malformed,
    Run,
    Status,
    is_number,
)
from seqexp.runs.store import parse_lines

UNSCORED, UNREADABLE = "unscored", "unreadable"
STATUSES = (*get_args(Status), UNSCORED, UNREADABLE)
"""How a run ended: as its record says, or "unscored", which was trained to the end, but its test
score is not finite; of an "unreadable" one the record tells whose seed it is, but not how it
ended."""

TRAINED = ("finished", UNSCORED)
"""Trained to the end, with a validation score."""

LOST = ("diverged", "failed")
"""Ended before that."""


class Problem(NamedTuple):
    """Something left out: the file that it stands in, and what is wrong with it."""

    where: str
    what: str


class RunFiles(NamedTuple):
    """What the files of a run say; empty where a file is missing.

    Attributes:
        run: its record; of an unreadable one no more than whose seed it is.
        status: how it ended, one of `STATUSES`.
        error: why there is no test score.
        group: its group by today's rule, so that seeds of one setting are one group, even if some
            were named by an earlier rule.
        inside: its last inspection; None where it was not inspected.
    """

    run: Run
    status: str
    error: str | None
    group: str
    cost: dict[str, Any]
    manifest: dict[str, Any]
    metrics: list[dict[str, Any]]
    timing: list[dict[str, Any]]
    samples: list[dict[str, Any]]
    inside: Inside | None = None


def read_run(folder: Path) -> tuple[RunFiles | None, list[Problem]]:
    """The files of a run's folder; None where its run.json does not even say whose seed it is."""
    problems: list[Problem] = []
    name = f"{folder.parent.name}/{folder.name}"
    value: dict[str, Any] = {}
    try:
        value = _object(folder / RUN)
        run = Run.from_json(value)
        status, error = run.status, run.error
    except Malformed as why:
        run = _whose(value or _salvaged(folder / RUN))
        fate = "its seed counts without a score" if run else "the run is left out"
        problems.append(Problem(f"{name}/{RUN}", f"{why}; {fate}"))
        if run is None:
            return None, problems
        status, error = UNREADABLE, f"unreadable record: {why}"
    if status == "finished" and not (run.score and is_number(run.score.test)):
        status, error = UNSCORED, "test score not finite"

    def optional(file: str) -> dict[str, Any]:
        try:
            return _object(folder / file) if os.path.exists(folder / file) else {}
        except Malformed as error:
            problems.append(Problem(f"{name}/{file}", f"{error}; the file is left out"))
            return {}

    def lines(file: str) -> list[dict[str, Any]]:
        records, complaints = read_lines(folder / file)
        problems.extend(Problem(f"{name}/{file}", what) for what in complaints)
        return records

    cost = optional(COST)
    odd = [key for key in NUMBERS if not isinstance(cost.get(key), int | float | None)]
    odd += [key for key in ("methods", "reasons") if not isinstance(cost.get(key, {}), dict)]
    for key in odd:
        problems.append(Problem(f"{name}/{COST}", f"{key} is malformed; it is left out"))
        del cost[key]
    manifest = optional(MANIFEST)
    metrics, timing, samples = (lines(file) for file in (METRICS, TIMING, SAMPLES))
    recorded = recorded_identity(run.config, manifest)
    group = run.group if recorded is None else recorded.group
    inside, damaged = read_inside(folder, metrics, run.config)
    problems += [Problem(f"{name}/{file}", what) for file, what in damaged]
    curves = metrics, timing, samples
    read = RunFiles(run, status, error, group, cost, manifest, *curves, inside=inside)
    if short := _cut_short(read):
        problems.append(Problem(f"{name}/{METRICS}", short))
    return read, problems


def _cut_short(read: RunFiles) -> str:
    """What is missing at the end of the metrics of a run that was trained to the end."""
    trainer = read.run.config.get("trainer")
    steps = trainer.get("steps") if isinstance(trainer, dict) else None
    if read.status not in TRAINED or not isinstance(steps, int):
        return ""
    last = read.metrics[-1]["step"] if read.metrics else 0
    return f"ends at step {last:,} of {steps:,}; later records are missing" if last < steps else ""


def without_weights(folders: Mapping[Path, RunFiles]) -> list[Problem]:
    """Runs that were trained to the end and have lost their weights.

    Where no run has any, the records are a copy without them, and nothing is lost.
    """
    trained = [path for path, read in folders.items() if read.status in TRAINED]
    missing = [path for path in trained if not os.path.exists(path / WEIGHTS)]
    if len(missing) == len(trained):
        return []
    what = "missing; the scores count, but nothing can be predicted"
    return [Problem(f"{path.parent.name}/{path.name}/{WEIGHTS}", what) for path in missing]


def read_lines(path: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """The records of a JSON-lines file in the order of their steps, and complaints.

    A crash may tear the last line. A run that was resumed may write a step again: the later line
    counts.
    """
    if not os.path.exists(path):
        return [], []
    try:
        found = parse_lines(path.read_bytes())
    except OSError as error:
        return [], [f"can not be read ({error.strerror}); the file is left out"]
    complaints = ["the last line is torn; it is left out"] if found.torn else []
    records: dict[int, dict[str, Any]] = {}
    repeated = 0
    for number, record in enumerate(found.records, start=1):
        step = None if record is None else record.get("step")
        if record is None or not isinstance(step, int):
            complaints.append(f"line {number} is malformed; it is left out")
            continue
        repeated += step in records
        records[step] = record
    if repeated:
        complaints.append(f"{repeated} steps are written twice; the earlier lines are left out")
    return [records[step] for step in sorted(records)], complaints


def _object(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise Malformed("missing") from error
    except OSError as error:
        raise Malformed(f"can not be read ({error.strerror})") from error
    except ValueError as error:
        raise Malformed("malformed") from error
    if not isinstance(value, dict):
        raise Malformed("malformed")
    return value


def _whose(value: dict[str, Any]) -> Run | None:
    """Whose seed a run is, as far as its record can be believed; None where that is not known."""
    try:
        return Run.whose(value)
    except Malformed:
        return None


def _salvaged(path: Path) -> dict[str, Any]:
    """The entries before the config of a run.json that is torn, each of which is whole."""
    try:
        text = path.read_bytes().partition(b'"config"')[0].decode("utf-8", "replace")
    except OSError:
        return {}
    entries = re.findall(r'"(\w+)": ?("[^"\\]*"|\d+)(?=[,\s])', text)
    return {key: json.loads(value) for key, value in entries}
