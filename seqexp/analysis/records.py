"""The files of one run, read with suspicion: what can not be read is named, never guessed."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from seqexp.analysis.axes import NUMBERS
from seqexp.runs.identity import recorded_identity

FORMAT = 1
RECORDED = ("finished", "diverged", "failed", "running")
"""What a record may say of a run."""

UNSCORED, UNREADABLE = "unscored", "unreadable"
STATUSES = (*RECORDED, UNSCORED, UNREADABLE)
"""How a run ended: "unscored" was trained to the end, but its test score is not finite; of an
"unreadable" one the record tells whose seed it is, but not how it ended."""

TRAINED = ("finished", UNSCORED)
"""Trained to the end, with a validation score."""

LOST = ("diverged", "failed")
"""Ended before that."""


WEIGHTS = "weights.msgpack"

WHOSE = {"id": str, "model": str, "task": str, "seed": int, "group": str}
"""What a record must say of a run so that its seed is counted."""


class Problem(NamedTuple):
    """Something left out: the file that it stands in, and what is wrong with it."""

    where: str
    what: str


class RunFiles(NamedTuple):
    """What the files of a run say; empty where a file is missing."""

    run: dict[str, Any]
    cost: dict[str, Any]
    manifest: dict[str, Any]
    metrics: list[dict[str, Any]]
    timing: list[dict[str, Any]]
    samples: list[dict[str, Any]]


class Unreadable(Exception):
    """A file that can not be used; the message says why."""


def read_run(folder: Path) -> tuple[RunFiles | None, list[Problem]]:
    """The files of a run's folder; None where its run.json does not even say whose seed it is."""
    problems: list[Problem] = []
    name = f"{folder.parent.name}/{folder.name}"
    run: dict[str, Any] = {}
    try:
        run = _object(folder / "run.json")
        _check(run)
    except Unreadable as error:
        run = _whose(run or _salvaged(folder / "run.json"))
        fate = "its seed counts without a score" if run else "the run is left out"
        problems.append(Problem(f"{name}/run.json", f"{error}; {fate}"))
        if not run:
            return None, problems
        run |= {"status": UNREADABLE, "error": f"unreadable record: {error}"}
    if run["status"] == "finished" and not _is_number(run["score"].get("test")):
        run |= {"status": UNSCORED, "error": "test score not finite"}

    def optional(file: str) -> dict[str, Any]:
        try:
            return _object(folder / file) if os.path.exists(folder / file) else {}
        except Unreadable as error:
            problems.append(Problem(f"{name}/{file}", f"{error}; the file is left out"))
            return {}

    def lines(file: str) -> list[dict[str, Any]]:
        records, complaints = read_lines(folder / file)
        problems.extend(Problem(f"{name}/{file}", what) for what in complaints)
        return records

    cost = optional("cost.json")
    odd = [key for key in NUMBERS if not isinstance(cost.get(key), int | float | None)]
    odd += [key for key in ("methods", "reasons") if not isinstance(cost.get(key, {}), dict)]
    for key in odd:
        problems.append(Problem(f"{name}/cost.json", f"{key} is malformed; it is left out"))
        del cost[key]
    manifest = optional("manifest.json")
    curves = (lines(file) for file in ("metrics.jsonl", "timing.jsonl", "samples.jsonl"))
    run["recorded_group"] = run["group"]
    recorded = None if run["status"] == UNREADABLE else recorded_identity(run, manifest)
    if recorded is not None:
        # Seeds of one setting are one group, even if some were named by an earlier rule.
        run["group"] = recorded.group
    read = RunFiles(run, cost, manifest, *curves)
    if short := _cut_short(read):
        problems.append(Problem(f"{name}/metrics.jsonl", short))
    return read, problems


def _cut_short(read: RunFiles) -> str:
    """What is missing at the end of the metrics of a run that was trained to the end."""
    trainer = read.run.get("config", {}).get("trainer")
    steps = trainer.get("steps") if isinstance(trainer, dict) else None
    if read.run["status"] not in TRAINED or not isinstance(steps, int):
        return ""
    last = read.metrics[-1]["step"] if read.metrics else 0
    return f"ends at step {last:,} of {steps:,}; later records are missing" if last < steps else ""


def without_weights(folders: Mapping[Path, RunFiles]) -> list[Problem]:
    """Runs that were trained to the end and have lost their weights.

    Where no run has any, the records are a copy without them, and nothing is lost.
    """
    trained = [path for path, read in folders.items() if read.run["status"] in TRAINED]
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
    complaints = []
    records: dict[int, dict[str, Any]] = {}
    repeated = 0
    try:
        *whole, rest = path.read_bytes().split(b"\n")
    except OSError as error:
        return [], [f"can not be read ({error.strerror}); the file is left out"]
    if rest:
        complaints.append("the last line is torn; it is left out")
    for number, record in enumerate(_parsed(whole), start=1):
        step = record.get("step") if isinstance(record, dict) else None
        if not isinstance(step, int):
            complaints.append(f"line {number} is malformed; it is left out")
            continue
        repeated += step in records
        records[step] = record
    if repeated:
        complaints.append(f"{repeated} steps are written twice; the earlier lines are left out")
    return [records[step] for step in sorted(records)], complaints


def _parsed(lines: list[bytes]) -> list[Any]:
    """Each line as JSON, None where it is malformed."""
    try:
        # All at once takes a third of the time, and names are kept once in memory.
        values = json.loads(b"[" + b",".join(lines) + b"]")
        if len(values) == len(lines) and all(isinstance(value, dict) for value in values):
            return values
    except ValueError:
        pass
    return [_value(line) for line in lines]


def _value(line: bytes) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None


def _object(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise Unreadable("missing") from error
    except OSError as error:
        raise Unreadable(f"can not be read ({error.strerror})") from error
    except ValueError as error:
        raise Unreadable("malformed") from error
    if not isinstance(value, dict):
        raise Unreadable("malformed")
    return value


def _check(run: dict[str, Any]) -> None:
    """Raises Unreadable unless a run.json holds what a report stands on."""
    if run.get("format") != FORMAT:
        raise Unreadable(f"format {run.get('format')!r} is not {FORMAT}, the one known here")
    for key, kind in WHOSE.items():
        if not isinstance(run.get(key), kind) or run[key] == "":
            raise Unreadable(f"{key} is missing")
    if run.get("status") not in RECORDED:
        raise Unreadable(f"status {run.get('status')!r} is unknown")
    for key in ("config", "valid", "test", "test_targets", "baselines"):
        if not isinstance(run.get(key, {}), dict):
            raise Unreadable(f"{key} is malformed")
    if not all(_is_number(value) for value in run.get("baselines", {}).values()):
        raise Unreadable("a baseline is not a number")
    score = run.get("score")
    if not isinstance(score, dict | None):
        raise Unreadable("score is malformed")
    if run["status"] == "finished" and not _is_score(score):
        raise Unreadable("it finished without a validation score that is a number")


def _whose(run: dict[str, Any]) -> dict[str, Any]:
    """Whose seed a run is, as far as its record can be believed; empty where that is not known."""
    told = {key: run.get(key) for key in ("format", *WHOSE)}
    known = all(isinstance(told[key], kind) and told[key] != "" for key, kind in WHOSE.items())
    return told if known and told["format"] == FORMAT else {}


def _salvaged(path: Path) -> dict[str, Any]:
    """The entries before the config of a run.json that is torn, each of which is whole."""
    try:
        text = path.read_bytes().partition(b'"config"')[0].decode("utf-8", "replace")
    except OSError:
        return {}
    entries = re.findall(r'"(\w+)": ?("[^"\\]*"|\d+)(?=[,\s])', text)
    return {key: json.loads(value) for key, value in entries}


def _is_score(score: Any) -> bool:
    return (
        isinstance(score, dict)
        and isinstance(score.get("name"), str)
        and score.get("goal") in ("min", "max")
        and _is_number(score.get("valid"))
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
