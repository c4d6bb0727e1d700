"""A run that was inspected at some steps, with arrays that are known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from seqexp.runs.store import append

EXAMPLES, STEPS, UNITS, LAGS = 3, 6, 4, 5
LENGTHS = np.array([6, 4, 2])
LAYERS = ("layer_1", "layer_2/forward")


def arrays(step: int) -> dict[str, np.ndarray]:
    """All arrays that an inspection may leave, of a model with labels as targets."""
    rng = np.random.default_rng(step)
    real = np.arange(STEPS) < LENGTHS[:, None]
    shape = EXAMPLES, STEPS, UNITS
    found = {
        "lengths": LENGTHS,
        "inputs": rng.integers(0, 3, shape[:2]),
        "targets": np.array([0, 1, 1]),
        "outputs": rng.standard_normal((EXAMPLES, 2)),
        "confusion": np.array([[3, 1], [0, 0]]),
        "saliency": np.where(real, rng.standard_normal(shape[:2]), 0),
        "attention": np.full((EXAMPLES, 2, STEPS), 1 / STEPS),
    }
    for layer in LAYERS:
        found[f"hidden/{layer}"] = np.where(real[..., None], rng.uniform(-1, 1, shape), 0)
        for gate, low in (("forget", 0), ("candidate", -1)):
            values = rng.uniform(low, 1, shape)
            found[f"activation/{layer}/{gate}"] = np.where(real[..., None], values, 0)
            found[f"bounds/{layer}/{gate}"] = np.array([low, 1])
            found[f"histogram/{layer}/{gate}"] = np.full((STEPS, 10), 0.1)
        found[f"time_constants/{layer}"] = np.array([2.0, 8.0, np.inf, np.nan])
        norms = 0.5 ** np.arange(1, LAGS + 1)
        found[f"gradient_by_lag/{layer}"] = np.stack([norms / 2, norms, 2 * norms])
        found[f"pascanu_bound/{layer}"] = 0.9 ** np.arange(1, LAGS + 1)
        for k in (1, 2, 4):
            found[f"jacobian/{layer}/{k}"] = np.array([1.0, 0.5, 0.0]) ** k
        found[f"lyapunov/{layer}"] = np.array([-0.1, -0.7])
        found[f"memory/{layer}"] = np.linspace(1, 0, LAGS + 1)
        found[f"perturbation/{layer}"] = 0.1 ** np.arange(LAGS + 1.0)
    return {name: np.asarray(value, np.float32) for name, value in found.items()}


def line(step: int) -> dict[str, object]:
    """The line of the inspection."""
    found: dict[str, object] = {"step": step, "level": "full", "seconds": 1.0}
    for layer in LAYERS:
        found |= {f"half_life/{layer}": 1.0 + step / 100, f"memory_capacity/{layer}": 3.0}
    found |= {"saturated/layer_1": 0.93, "gradient_norm/readout": None if step else 0.5}
    warning = "layer_1 saturated: 93 % of units; try a smaller recurrent initialisation"
    return found | {"warnings": [warning], "not_defined": {"attention": "it has <no> attention"}}


def write(run: Path, steps: Sequence[int] = (0, 100, 200), *left_out: str) -> Path:
    """The files of inspections at some steps, without some kinds of arrays."""
    (run / "inspection").mkdir(parents=True)
    for step in steps:
        kept = {k: v for k, v in arrays(step).items() if k.split("/")[0] not in left_out}
        np.savez(run / "inspection" / f"{step}.npz", allow_pickle=False, **kept)
        append(run / "inspection.jsonl", line(step))
    return run
