"""Synthetic records, as files, with known scores."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

TASKS = {"adding": ("mse", "min"), "digits": ("accuracy", "max")}
PARAMETERS = {"rnn": 1_000, "gru": 3_000, "lstm": 4_000}
SEEDS = (0, 1, 2)
BASELINES = {"adding": {"predict 1": 1 / 6}, "digits": {"chance": 0.1}}


def write_run(study: Path, model: str, task: str, seed: int, **changes: Any) -> Path:
    """One finished run that scored 0.5 on both splits; `changes` are entries of its run.json."""
    name, goal = TASKS[task]
    run: dict[str, Any] = {"format": 1, "id": f"{model}-{task}-{seed}", "study": study.name}
    run |= {"name": f"{model}-{task}-seed{seed}", "model": model, "task": task, "seed": seed}
    run |= {"group": f"{model}-{task}", "status": "finished"}
    run |= {"config": {"seed": seed, "task": {"length": 10}, "model": {"units": 8}}}
    run |= {"score": {"name": name, "goal": goal, "step": 20, "valid": 0.5, "test": 0.5}}
    run |= {"valid": {name: 0.5}, "test": {name: 0.5}, "baselines": BASELINES[task]}
    run |= {"diverged_step": None, "error": None} | changes
    folder = study / run["id"]
    folder.mkdir(parents=True)
    write_json(folder / "run.json", run)
    write_json(folder / "cost.json", cost(model))
    write_json(folder / "manifest.json", {"device_kind": "cpu", "packages": {"jax": "0.10.1"}})
    write_lines(
        folder / "metrics.jsonl",
        [
            {"step": step, "examples": 4 * step, "tokens": 40 * step, f"valid/{name}": 1 / step}
            for step in (10, 20)
        ],
    )
    write_lines(folder / "timing.jsonl", [{"step": s, "seconds": s / 100} for s in (10, 20)])
    return folder


def cost(model: str) -> dict[str, Any]:
    """The costs of a model, all in proportion to its parameters but for the time to decode."""
    size = PARAMETERS[model]
    return {
        "parameters": size,
        "carry_bytes": size // 10,
        "training_flops_per_step": 240.0 * size,
        "training_flops_per_token": 6.0 * size,
        "inference_flops_per_token": 2.0 * size,
        "step_seconds": size * 1e-6,
        "compile_seconds": 1.5,
        "program_bytes": size * 100,
        "decode_seconds_per_token": None,
        "methods": {"parameters": "Counted <all>."},
    }


def score(task: str, valid: float | None, test: float | None) -> dict[str, Any]:
    name, goal = TASKS[task]
    return {"name": name, "goal": goal, "step": 20, "valid": valid, "test": test}


def known_scores() -> dict[tuple[str, str], np.ndarray]:
    """Of each (model, task) the `[seeds, 2]` scores on validation and test."""
    rng = np.random.default_rng(7)
    middle = {"rnn": 0.3, "gru": 0.2, "lstm": 0.1}
    return {
        (model, task): (middle[model] if task == "adding" else 1 - middle[model])
        + 0.01 * rng.standard_normal((len(SEEDS), 2))
        for model in PARAMETERS
        for task in TASKS
    }


def write_study(study: Path, scores: Mapping[tuple[str, str], np.ndarray]) -> Path:
    """3 models on 2 tasks with 3 seeds."""
    for (model, task), values in scores.items():
        for seed, (valid, test) in zip(SEEDS, values, strict=True):
            write_run(study, model, task, seed, score=score(task, valid, test))
    return study


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(value))


def write_lines(path: Path, records: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))


def write_growth(
    study: Path, name: str, models: Mapping[str, tuple[float, float]], task: str = "adding"
) -> dict[str, Any]:
    """Costs of models as `seqexp cost` writes them; of each its exponents in length and width.

    A training step takes a microsecond, times the size that is varied to this power.
    """
    measured = []
    for model, powers in models.items():
        sizes = [("", 10, 8)]
        sizes += [("length", size, 8) for size in (32, 64, 128, 256)]
        sizes += [("width", 10, size) for size in (32, 64, 128, 256)]
        for varied, length, width in sizes:
            size, power = (length, powers[0]) if varied == "length" else (width, powers[1])
            step = {"step_seconds": 1e-6 * size**power, "decode_seconds_per_token": None}
            row = {"task": task, "label": model, "model": model, "varied": varied}
            measured.append(row | {"length": length, "width": width, "cost": step})
    record = {"format": 1, "manifest": {"device_kind": "cpu"}, "measured": measured}
    (study / "cost" / name).mkdir(parents=True)
    write_json(study / "cost" / name / "cost.json", record)
    return record
