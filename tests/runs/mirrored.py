"""Records of a small run that a mirror follows, and what it warned of."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from offline_wandb import offline_runs

from seqexp.runs.record import RunInfo, RunRecord
from seqexp.runs.wandb_mirror import Mirror
from seqexp.types import Score

COST = {"flops": {"value": 12, "how": "jaxpr"}, "energy": None, "training_flops_per_step": 5e9}
COST |= {"step_seconds": 0.5}
OFFLINE = Mirror("offline", "seqexp-test", tags=("nightly",))


def run_info(seed: int) -> RunInfo:
    return RunInfo(
        id=f"{seed:016x}",
        study="study",
        name=f"lstm-adding-seed{seed}",
        model="lstm",
        task="adding",
        seed=seed,
        group="fedcba9876543210",
        config={"seed": seed, "optimizer": {"learning_rate": 1e-3}, "api_key": "s3cr3t-value"},
        score=Score("loss", "min"),
        baselines={},
    )


def log_steps(record: RunRecord, first: int, last: int) -> None:
    for step in range(first, last + 1):
        metrics: dict[str, Any] = {"step": step, "examples": 32 * step}
        metrics["train/loss"] = float("nan") if step == 2 else 1 / step + record.run["seed"]
        metrics["valid/loss"] = 2 / step + record.run["seed"]
        record.log(metrics, seconds=0.5 * step)


def finish(record: RunRecord) -> None:
    record.write_cost(COST)
    record.finish(3, {"loss": 0.25}, {"loss": 0.26})


def offline_runs_of(record: RunRecord) -> list[Path]:
    return offline_runs(record.directory)


def our_warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    ours = (record for record in caplog.records if record.name.startswith("seqexp"))
    return [record.getMessage() for record in ours if record.levelno >= logging.WARNING]
