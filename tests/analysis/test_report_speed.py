"""A study of 1,000 runs with 500 evaluations each loads and has its report in under 30 s.

Measured on two idle cores, from the start of the command: 22 to 26 s, 11 of them to load the
records, 710 MB of memory at the most, for 3 million rows of curves, and a page of 9 MB, of which
plotly.js is 4.8.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from synthetic_records import TASKS, score, write_json, write_run

RUNS, EVALUATIONS = 1_000, 500
MODELS, RATES, SEEDS = ("rnn", "gru", "lstm"), (0.001, 0.002, 0.005, 0.01), 14
SIZES = (8, 16, 32)
TIMED = """
import re, sys, time
from pathlib import Path
from seqexp.commands.report import report_on
report_on([Path(sys.argv[1])])
# Not getrusage, which also counts what the parent held when it started this process.
peak = re.search(r"VmHWM:\\s*(\\d+) kB", Path("/proc/self/status").read_text())
print(time.process_time(), int(peak[1]) / 1024)
"""


def write_large_study(study: Path) -> None:
    """2 tasks, 3 models of 3 sizes, 4 learning rates and 14 seeds, cut at 1,000 runs."""
    rng = np.random.default_rng(0)
    names = ("train/grad_norm", "train/loss", "train/parameter_norm", "train/update_norm")
    for i in range(RUNS):
        place = np.unravel_index(i, (SEEDS, len(RATES), len(SIZES), len(MODELS), len(TASKS)))
        seed, rate, size, model, task = (int(index) for index in place)
        task, model = list(TASKS)[task], MODELS[model]
        value = float(0.1 * rng.random() + 0.3 * rate + 0.1 * size)
        folder = write_run(
            *(study, model, task, seed),
            id=f"{i:016x}",
            group=f"{task}-{model}-{SIZES[size]}-{RATES[rate]}",
            config={
                "seed": seed,
                "task": {"length": 10},
                "model": {"units": SIZES[size]},
                "optimizer": {"learning_rate": RATES[rate]},
            },
            score=score(task, value, value),
        )
        cost = {"parameters": 1_000 * (size + 1), "carry_bytes": SIZES[size], "methods": {}}
        write_json(folder / "cost.json", cost | {"training_flops_per_token": 1e4 * SIZES[size]})
        metric, steps = f"valid/{TASKS[task][0]}", np.arange(1, EVALUATIONS + 1) * 10
        curve = value + np.exp(-steps / 500) + 0.01 * rng.random(EVALUATIONS)
        with open(folder / "metrics.jsonl", "w") as file:
            for step, point in zip(steps.tolist(), curve.tolist(), strict=True):
                record = {"step": step, "examples": 32 * step, "tokens": 320 * step}
                record |= {name: point / 3 for name in names} | {metric: point, "valid/loss": point}
                file.write(json.dumps(record) + "\n")
        with open(folder / "timing.jsonl", "w") as file:
            file.writelines(f'{{"step": {step}, "seconds": {step / 100}}}\n' for step in steps)


@pytest.mark.full
def test_a_large_study_has_its_report_soon(tmp_path):
    write_large_study(tmp_path / "large")
    done = subprocess.run(
        [sys.executable, "-c", TIMED, str(tmp_path / "large")],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert done.returncode == 0, done.stderr
    seconds, megabytes = map(float, done.stdout.split()[-2:])
    page = (tmp_path / "large" / "report" / "index.html").stat().st_size / 1e6
    print(f"{seconds:.1f} s, {megabytes:.0f} MB at the most, a page of {page:.1f} MB")
    # Of the processor's time, whatever runs beside this one; twice what an idle machine takes.
    assert seconds < 60 and megabytes < 1_000 and page < 12
