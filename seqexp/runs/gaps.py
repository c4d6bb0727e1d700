"""What a closed record should hold and does not: its score stands, but not all that it rests on."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from seqexp.runs import checkpoint, store
from seqexp.runs.record import MANIFEST, METRICS
from seqexp.types import SeqexpError


def gaps(directory: Path, run: Mapping[str, Any]) -> list[str]:
    """What is missing of a run that finished or diverged, each in some words for people.

    Args:
        directory: of the record.
        run: the object in its run.json.
    """
    found = []
    try:
        if store.read_json(directory / MANIFEST) is None:
            found.append(f"its {MANIFEST} is missing")
    except SeqexpError:
        found.append(f"its {MANIFEST} is damaged")
    if lacks_weights(directory, run):
        found.append("its weights are missing")
    try:
        steps = [record.get("step") for record in store.read(directory / METRICS)]
    except SeqexpError:
        return [*found, f"its {METRICS} is damaged"]
    return found + missing_steps(run, [step for step in steps if isinstance(step, int)])


def lacks_weights(directory: Path, run: Mapping[str, Any]) -> bool:
    """Whether a run finished, and the weights that its test score is of are gone."""
    return run.get("status") == "finished" and not (directory / checkpoint.WEIGHTS).exists()


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
