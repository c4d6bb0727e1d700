"""What sweeps plan to train, written down before they begin: a study can tell what is waiting.

Each sweep writes one file into the study; a sweep of the same runs replaces it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from seqexp.runs.locks import Holder
from seqexp.runs.store import Damaged, read_json, write_json_atomic

FORMAT = 1
"""Of a plan; another number is another version's, which is not read."""

PLANNED = ".planned"
"""The folder of a study's plans."""


@dataclass(frozen=True)
class PlannedRun:
    """A run of a sweep.

    Attributes:
        folder: the name of its record's folder in the study's.
        id: `identity.identity` of its config.
        name: for people, such as "lstm adding lr=0.003 seed 0".
        group: the name, for people, of the group that it trains in.
        steps: that it is trained for.
    """

    folder: str
    id: str
    name: str
    group: str
    steps: int


def write(study: Path, runs: Sequence[PlannedRun]) -> None:
    """Note what a sweep of this process plans, on the disk before this returns.

    Raises OSError where the study can't be written.
    """
    ids = sorted(run.id for run in runs)
    name = hashlib.sha256("\n".join(ids).encode("utf-8")).hexdigest()[:16]
    (study / PLANNED).mkdir(parents=True, exist_ok=True)
    plan = {
        "format": FORMAT,
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "who": Holder.this()._asdict(),
        "runs": [asdict(run) for run in runs],
    }
    write_json_atomic(study / PLANNED / f"{name}.json", plan, shared=True)


def read(study: Path, say: Callable[[str], None] = lambda text: None) -> list[PlannedRun]:
    """The runs of all plans of a study, each once; of two that name one run the later plan counts.

    Args:
        study: the study's folder.
        say: told of each plan that is passed over, and why.
    """
    plans: list[tuple[str, str, list[PlannedRun]]] = []
    for path in _files(study / PLANNED):
        try:
            plan = read_json(path) or {}
        except Damaged as error:
            say(f"{error.what}; the plan is passed over")
            continue
        if plan.get("format") != FORMAT:
            say(f"{path} has format {plan.get('format')!r}, not {FORMAT}; the plan is passed over")
            continue
        try:
            runs = [_run(value) for value in plan["runs"]]
        except (KeyError, TypeError, ValueError):
            say(f"{path} is malformed; the plan is passed over")
            continue
        plans.append((str(plan.get("time")), path.name, runs))
    found = {run.id: run for _, _, runs in sorted(plans, key=lambda p: p[:2]) for run in runs}
    return list(found.values())


def _files(folder: Path) -> Iterator[Path]:
    """The plans in a folder, which may be missing; not what another process is writing."""
    with suppress(OSError):
        yield from sorted(p for p in folder.iterdir() if p.match("*.json") and p.name[0] != ".")


def _run(value: Mapping[str, Any]) -> PlannedRun:
    """Raises one of Python's own errors for what `write` would not have written."""
    run = PlannedRun(**value)
    texts = run.folder, run.id, run.name, run.group
    if not all(isinstance(text, str) for text in texts) or not isinstance(run.steps, int):
        raise ValueError(value)
    return run
