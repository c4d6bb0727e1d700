"""kill -9 in the middle of a sweep, start again: the records of a sweep that never stopped."""

from __future__ import annotations

import json
import signal
import time

import pytest

from seqexp.runs.record import RunRecord
from seqexp.runs.store import read
from seqexp.sweeps import execute, group_run
from tests.sweeps.tiny import TINY, deterministic, runs, seqexp, start
from tests.test_configs import point

SWEEP = ["sweep", *TINY, "model=rnn,gru", "seed=0,1,2", "trainer.steps=300", "study=a"]

PATIENCE = 1800
"""Seconds: a machine kept busy by others takes many times as long as an idle one."""


def test_a_killed_run_goes_on_to_bitwise_the_same_record(tmp_path):
    run = ["run", *TINY, "model=gru", "trainer.steps=300", "study=a"]
    assert seqexp(*run, f"runs_dir={tmp_path / 'whole'}") == 0
    killed = start(*run, f"runs_dir={tmp_path / 'killed'}")
    _wait_until(tmp_path / "killed" / "a", 0, killed)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert [run["status"] for run in runs(tmp_path / "killed" / "a").values()] == ["running"]
    assert seqexp(*run, f"runs_dir={tmp_path / 'killed'}") == 0
    (manifest,) = (tmp_path / "killed" / "a").glob("*/manifest.json")
    assert json.loads(manifest.read_text())["resumed"], "it did not begin anew"
    assert deterministic(tmp_path / "killed" / "a") == deterministic(tmp_path / "whole" / "a")


@pytest.mark.full
def test_a_killed_sweep_goes_on_to_bitwise_the_same_records(tmp_path):
    whole = start(*SWEEP, f"runs_dir={tmp_path / 'whole'}")
    said, _ = whole.communicate(timeout=PATIENCE)
    assert whole.returncode == 0, said

    # Once in the middle of the first group; then, when the other one, which goes first now, is
    # finished, in the middle of what the first has left.
    for finished in (0, 3):
        killed = start(*SWEEP, f"runs_dir={tmp_path / 'killed'}")
        _wait_until(tmp_path / "killed" / "a", finished, killed)
        killed.send_signal(signal.SIGKILL)
        killed.communicate()
        assert any(run["status"] == "running" for run in runs(tmp_path / "killed" / "a").values())

    again = start(*SWEEP, f"runs_dir={tmp_path / 'killed'}")
    said, _ = again.communicate(timeout=PATIENCE)
    assert again.returncode == 0, said
    assert "3 finished, 3 skipped" in said
    expected, found = (deterministic(tmp_path / kind / "a") for kind in ("whole", "killed"))
    assert len(expected) == 6 * 3
    assert found.keys() == expected.keys()
    for name in expected:
        assert found[name] == expected[name], name


@pytest.mark.full
def test_control_c_says_how_to_go_on(tmp_path):
    stopped = start(*SWEEP, f"runs_dir={tmp_path}")
    _wait_until(tmp_path / "a", 0, stopped)
    stopped.send_signal(signal.SIGINT)
    said, _ = stopped.communicate(timeout=PATIENCE)
    assert stopped.returncode == 130, said
    assert "goes on from here" in said and "Traceback" not in said


def _wait_until(study, finished, process):
    """Wait until so many runs are finished, and another has three evaluations, one of them new."""

    def evaluations():
        return {path.parent.name: len(read(path)) for path in study.glob("*/metrics.jsonl")}

    before = evaluations()
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        assert process.poll() is None, "the sweep ended before it could be stopped"
        status = {id: run["status"] for id, run in runs(study).items()}
        under_way = any(
            status.get(id) == "running" and n >= 3 and n > before.get(id, 0)
            for id, n in evaluations().items()
        )
        if under_way and list(status.values()).count("finished") >= finished:
            return
        time.sleep(0.01)
    raise AssertionError("nothing was recorded in time")


@pytest.mark.usefixtures("free")
def test_an_interrupted_run_is_left_to_go_on_and_killed_in_wandb(tmp_path, monkeypatch):
    killed = []

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(group_run, "_train", interrupted)
    monkeypatch.setattr(RunRecord, "interrupt", lambda record: killed.append(record.run["id"]))
    with pytest.raises(KeyboardInterrupt):
        execute([point(*TINY, "model=rnn", f"runs_dir={tmp_path}", "study=a")])
    ((id, run),) = runs(tmp_path / "a").items()
    assert run["status"] == "running" and killed == [id]
    assert not list((tmp_path / "a" / ".locks").iterdir()), "others may go on with it"
