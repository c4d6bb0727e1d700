"""What is missing from a closed record, although its score is there."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from seqexp.runs import checkpoint, store
from seqexp.runs.schema import COST, MANIFEST, METRICS, SAMPLES, TIMING, WEIGHTS
from seqexp.types import SeqexpError


def gaps(directory: Path, run: Mapping[str, Any], thorough: bool = True) -> list[str]:
    """What is missing of a run that finished or diverged, each in some words for people.

    Args:
        directory: of the record.
        run: the object in its run.json.
        thorough: prove the weights by their sha256, which takes the longer the larger they are;
            otherwise their file is there, and begins as it should.
    """
    found = [_object(directory / name) for name in (MANIFEST, COST)]
    finished = run.get("status") == "finished"
    if finished and not (directory / WEIGHTS).exists():
        found.append("its weights are missing")
    elif finished:
        found.append(_weights(directory, run, thorough))
    timed, untimed = _lines(directory / TIMING)
    found += [untimed, _lines(directory / SAMPLES)[1]]
    steps, damaged = _lines(directory / METRICS)
    if damaged is None and untimed is None and not {*steps} <= {*timed}:
        found.append(f"its {TIMING} lacks lines")
    missing = missing_steps(run, steps) if damaged is None else [damaged]
    return [gap for gap in found if gap is not None] + missing


def _object(path: Path) -> str | None:
    try:
        return f"its {path.name} is missing" if store.read_json(path) is None else None
    except SeqexpError:
        return f"its {path.name} is damaged"


def _lines(path: Path) -> tuple[list[int], str | None]:
    """The steps recorded in a file, or what is wrong with it."""
    try:
        steps = [record.get("step") for record in store.read(path)]
    except SeqexpError:
        return [], f"its {path.name} is damaged"
    return [step for step in steps if isinstance(step, int)], None


def _weights(directory: Path, run: Mapping[str, Any], thorough: bool) -> str | None:
    path, id = directory / WEIGHTS, run.get("id")
    try:
        # Weights of earlier versions don't say whose they are.
        if thorough:
            own = checkpoint.read(path).run in (None, id)
        else:
            own = checkpoint.read_run(path, str(id))
    except (OSError, ValueError):
        return "its weights are damaged"
    return None if own else "its weights are another run's"


def missing_steps(run: Mapping[str, Any], recorded: Collection[int]) -> list[str]:
    """Which of the evaluations of a run that finished or diverged are not in its metrics.

    Args:
        run: the object in its run.json.
        recorded: the steps that are.
    """
    trainer = run.get("config", {}).get("trainer", {})
    steps, every = trainer.get("steps"), trainer.get("eval_every")
    if not (isinstance(steps, int) and isinstance(every, int) and every > 0):
        return []  # Its config does not tell.
    if run.get("status") == "diverged":
        # It trained up to the step before, or to the end without a score that is a number.
        steps = min(steps, max(recorded, default=0), run.get("diverged_step") or steps)
        if steps + 1 < (run.get("diverged_step") or 0):
            return [f"its metrics end at step {steps}"]
    elif run.get("status") != "finished":
        return []
    elif max(recorded, default=0) < steps:
        return [f"its metrics end at step {max(recorded, default=0)} of {steps}"]
    missing = sorted({*range(every, steps + 1, every), steps} - {*recorded})
    return [f"its metrics lack step {', '.join(map(str, missing[:3]))}"] if missing else []
