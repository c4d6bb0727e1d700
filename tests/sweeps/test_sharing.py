"""Several processes at work on one study: each run is trained once, and each sweep tells of all."""

from __future__ import annotations

import os
import sys

import pytest

from seqexp.runs.locks import Locks
from seqexp.runs.store import read
from seqexp.sweeps import execute, group_run
from seqexp.sweeps.groups import plan
from tests.sweeps.tiny import TINY, deterministic, runs, seqexp, start
from tests.test_configs import point

pytestmark = pytest.mark.usefixtures("free")

EXECUTE = sys.modules[execute.__module__]


def _id(*overrides: str) -> str:
    _, (id,) = plan([point(*TINY, *overrides)])
    return id


@pytest.mark.full
def test_runs_that_another_process_trains_are_left_to_it(tmp_path, capsys):
    place = [f"runs_dir={tmp_path}", "study=a"]
    with Locks(tmp_path / "a") as other:
        assert other.take(_id("model=rnn", "seed=1", *place)) is None
        assert seqexp("sweep", *TINY, "model=rnn,gru", "seed=0,1", *place) == 0
        said = capsys.readouterr().err
        assert f"left to other processes, which train them now: 1 by process {os.getpid()}" in said
        (left,) = [line.split() for line in said.splitlines() if " elsewhere " in line]
        assert left[:4] == ["rnn", "digits", "seed", "1"]
        assert " ".join(left[5:]).startswith(f"elsewhere trained by process {os.getpid()} on ")
        assert "3 finished, 1 elsewhere" in said
        trained = runs(tmp_path / "a")
        assert len(trained) == 3 and (tmp_path / "a" / "report" / "index.html").exists()

        assert seqexp("run", *TINY, "model=rnn", "seed=1", *place) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("left to other processes")
        assert runs(tmp_path / "a") == trained
    assert seqexp("run", *TINY, "model=rnn", "seed=1", *place) == 0


@pytest.mark.full
def test_a_run_that_another_process_finishes_meanwhile_is_not_trained_again(tmp_path, monkeypatch):
    """While this process trains the first group, another trains the second."""
    place = [f"runs_dir={tmp_path}", "study=a"]
    healthy, trained = group_run.run_group, []

    def train(group, *rest):
        trained.append(group.name)
        if len(trained) == 1:
            execute([point(*TINY, "model=gru", *place, "rerun=always")])
        return healthy(group, *rest)

    monkeypatch.setattr(EXECUTE, "run_group", train)
    for rerun in ("never", "always"):
        trained.clear()
        points = [
            point(*TINY, f"model={name}", *place, f"rerun={rerun}") for name in ("rnn", "gru")
        ]
        assert [outcome.status for outcome in execute(points)] == ["finished"] * 2
        assert trained == ["rnn on digits", "gru on digits"]


def test_a_run_that_another_process_finishes_while_it_is_planned_is_not_trained_again(
    tmp_path, monkeypatch
):
    """Behind the look whether it is finished: other runs' files may take long to look at."""
    place = [f"runs_dir={tmp_path}", "study=a"]
    healthy, between = EXECUTE._unfinished, []

    def unfinished(*arguments):
        found = healthy(*arguments)
        if not between:
            between.append(True)
            assert execute([point(*TINY, "model=rnn", *place)])[0].status == "finished"
        return found

    monkeypatch.setattr(EXECUTE, "_unfinished", unfinished)
    with monkeypatch.context() as patch:
        train = group_run.run_group
        patch.setattr(EXECUTE, "run_group", lambda *a: between.append(a[0].name) or train(*a))
        (outcome,) = execute([point(*TINY, "model=rnn", *place)])
    assert outcome.status == "finished" and len(between) == 2


@pytest.mark.full
def test_what_another_process_held_and_left_is_trained_at_the_end(tmp_path, monkeypatch):
    place = [f"runs_dir={tmp_path}", "study=a"]
    healthy = group_run.run_group
    with Locks(tmp_path / "a") as other:
        id = _id("model=rnn", "seed=1", *place)
        assert other.take(id) is None

        def train(*arguments):
            failed = healthy(*arguments)
            other.release(id)
            return failed

        monkeypatch.setattr(EXECUTE, "run_group", train)
        points = [point(*TINY, "model=rnn", f"seed={seed}", *place) for seed in (0, 1)]
        assert [outcome.status for outcome in execute(points)] == ["finished"] * 2


def test_a_process_that_was_taken_for_dead_writes_no_more(tmp_path, monkeypatch):
    """It was stopped for long, say, and another trains what it held."""
    place = [f"runs_dir={tmp_path}", "study=a"]
    healthy = group_run._save

    def stopped(*arguments):
        healthy(*arguments)
        for path in (tmp_path / "a" / ".locks").glob("*/*"):
            path.unlink()

    monkeypatch.setattr(group_run, "_save", stopped)
    (outcome,) = execute([point(*TINY, "model=rnn", *place)])
    assert outcome.status == "failed" and "another process took it over" in outcome.detail
    ((id, run),) = runs(tmp_path / "a").items()
    assert run["status"] == "running" and run["error"] is None
    assert len(read(tmp_path / "a" / id / "metrics.jsonl")) == 1


@pytest.mark.full
def test_sweeps_started_together_train_each_run_once(tmp_path):
    sweep = ["sweep", *TINY, "model=rnn,gru", "study=a"]
    alone = start(*sweep, f"runs_dir={tmp_path / 'alone'}")
    together = [start(*sweep, f"runs_dir={tmp_path / 'together'}") for _ in range(2)]
    for process in (alone, *together):
        said, _ = process.communicate(timeout=900)
        assert process.returncode == 0, said
    expected, found = (deterministic(tmp_path / kind / "a") for kind in ("alone", "together"))
    assert found == expected
    for folder in (tmp_path / "together" / "a").glob("*/run.json"):
        assert (folder.parent / "manifest.json").read_text().count('"resumed"') == 0


@pytest.mark.full
def test_what_a_launcher_of_hydras_had_trained_is_told_from_the_records(
    tmp_path, monkeypatch, capsys
):
    """joblib's trains each point in another process, of which nothing comes back."""
    sweep = ["sweep", *TINY, "model=rnn", f"runs_dir={tmp_path}", "study=a"]
    assert seqexp(*sweep, "seed=0") == 0

    def elsewhere(**_):
        raise RuntimeError("a worker was killed")

    monkeypatch.setattr("seqexp.commands.hydra_app._run_hydra", elsewhere)
    (tmp_path / "a" / "report" / "index.html").unlink()
    capsys.readouterr()
    assert seqexp(*sweep, "seed=0,1", "hydra/launcher=basic") == 1
    said = capsys.readouterr().err
    assert "seqexp: a worker was killed" in said
    assert "1 finished, 1 failed" in said and "its process did not finish it" in said
    assert (tmp_path / "a" / "report" / "index.html").exists()
