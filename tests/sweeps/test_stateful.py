"""A stateful language model as a user trains it: costs, records, and going on after a kill."""

from __future__ import annotations

import json
import signal

import pytest

from seqexp.runs.store import read
from tests.sweeps.test_interruption import _wait_until
from tests.sweeps.tiny import deterministic, runs, seqexp, start

pytestmark = pytest.mark.full

TEXT = "It was the best of times, it was the worst of times.\n" * 40


def test_a_killed_run_goes_on_within_an_epoch_to_bitwise_the_same_record(tmp_path):
    (tmp_path / "text.txt").write_text(TEXT)
    run = [
        *("run", "task=text", f"task.train={tmp_path / 'text.txt'}", "task.answer=next"),
        *("task.units=characters", "task.max_length=4", "task.stateful=true", "model=lstm"),
        *("model.features=3", "trainer.steps=300", "trainer.eval_every=3", "trainer.batch_size=4"),
        *("logger.mode=disabled", "study=a"),
    ]
    assert seqexp(*run, f"runs_dir={tmp_path / 'whole'}") == 0
    killed = start(*run, f"runs_dir={tmp_path / 'killed'}")
    _wait_until(tmp_path / "killed" / "a", 0, killed)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert seqexp(*run, f"runs_dir={tmp_path / 'killed'}") == 0
    (manifest,) = (tmp_path / "killed" / "a").glob("*/manifest.json")
    assert json.loads(manifest.read_text())["resumed"], "it did not begin anew"
    assert deterministic(tmp_path / "killed" / "a") == deterministic(tmp_path / "whole" / "a")
    (name,) = runs(tmp_path / "whole" / "a")
    folder = tmp_path / "whole" / "a" / name
    cost = json.loads((folder / "cost.json").read_text())
    assert cost["training_flops_per_token"] > 0 and cost["step_seconds"] > 0
    assert cost["context_length"] > 4 and not cost["reasons"].keys() & {"step_seconds"}
    assert read(folder / "metrics.jsonl")[-1]["step"] == 300
