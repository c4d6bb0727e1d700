"""`seqexp status`: what it prints, its mistakes, and what it needs."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from seqexp.commands.main import main
from seqexp.commands.status import to_text
from seqexp.runs import plans
from seqexp.runs.plans import PlannedRun
from seqexp.runs.status import RunStatus, StudyStatus, look
from tests.watch.growing_study import add, hold, write_run


@pytest.fixture
def study(tmp_path) -> Path:
    """25 planned runs: one trains, one has failed, one diverged; and a damaged plan."""
    study = tmp_path / "runs" / "study"
    ids = [f"r{i:02}" for i in range(25)]
    plans.write(study, [PlannedRun(id, id, f"gru seed {id}", "gru", 100) for id in ids])
    (study / ".planned" / "0123456789abcdef.json").write_text("{")
    add(write_run(study, "r00"), {"step": 40, "seconds": 4.0}, file="timing.jsonl")
    hold(study, "r00")
    write_run(study, "r01", status="failed", error="no\nmemory \x1b[31m")
    write_run(study, "r02", status="diverged", diverged_step=7)
    return study


def test_it_says_what_trains_and_what_waits(study, capsys):
    assert main(["status", str(study)]) == 0
    said, complaints = capsys.readouterr()
    first, _, headings, running, _, *rest = said.splitlines()
    assert first == ("study: 25 runs: 0 finished, 1 diverged, 1 running, 22 waiting, 1 failed")
    assert headings.split() == ["running", "step", "left", "since", "process"]
    assert running.startswith("lstm adding r00  40 of 100  6 s   ")
    assert running.endswith(f"{os.getpid()} on {socket.gethostname()}, preparing")
    assert rest[:4] == ["failed           reason", "lstm adding r01  no memory [31m", "", "waiting"]
    assert rest[4:] == [*(f"gru seed r{i:02}  planned" for i in range(3, 23)), "and 2 more"]
    assert complaints.count("\n") == 1 and "0123456789abcdef.json is not JSON" in complaints


def test_all_is_listed_if_asked_for(study, capsys):
    assert main(["status", str(study), "--all"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[-1] == "lstm adding r02  at step 7"
    assert "gru seed r24  planned" in said and not any("more" in line for line in said)


def test_json_holds_everything(study, capsys):
    assert main(["status", "--json", str(study)]) == 0
    said, complaints = capsys.readouterr()
    assert complaints == ""
    document = json.loads(said)
    assert document["study"] == "study" and document["folder"] == str(study)
    assert datetime.fromisoformat(document["now"]).tzinfo is not None
    assert document["counts"] == {
        **{"finished": 0, "diverged": 1, "running": 1, "waiting": 22, "failed": 1, "unreadable": 0}
    }
    assert len(document["problems"]) == 1
    assert [run["id"] for run in document["runs"]] == [f"r{i:02}" for i in range(25)]
    assert set(document["runs"][0]) == {field.name for field in fields(RunStatus)}
    assert document["runs"][0]["seconds_left"] == 6.0
    assert document["runs"][1]["why"] == "no\nmemory \x1b[31m"


@pytest.mark.parametrize(
    ("seconds", "left"),
    [(0.4, "0 s"), (59.7, "1 min"), (600, "10 min"), (3599, "1 h 00 min"), (1e5, "1 d 3 h")],
)
def test_times_for_people(seconds, left):
    now = datetime(2026, 11, 1, 12, tzinfo=UTC)
    began = now - timedelta(days=40)
    run = RunStatus("a", "a", "gru", None, "running", since=began.isoformat(), host="x", pid=1)
    run = RunStatus(**vars(run) | {"seconds_left": seconds, "step": 1500, "during": "training"})
    line = to_text(StudyStatus(Path("s"), now, [run], [])).splitlines()[-1]
    assert f"gru      1,500  {left}" in line and line.endswith("  1 on x")
    assert f"{began.astimezone():%Y-%m-%d %H:%M}" in line


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["a", "b"], "name one study"),
        (["x", "--open"], "no option --open"),
        (["x"], "no study in x: there is no such folder"),
        (["file"], "file is a file: name the folder of a study"),
        (["runs/study/r00"], "runs/study/r00 is a run: name its study, runs/study"),
        (["study"], "no study in study: did you mean runs/study?"),
        (["runs"], "no study in runs: it holds no run, and none is planned there"),
        (["wandb:me/project/study"], "name a folder of this machine"),
    ],
)
def test_mistakes_are_one_line(arguments, said, study, monkeypatch, capsys):
    monkeypatch.chdir(study.parents[1])
    Path("file").write_text("")
    assert main(["status", *arguments]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("seqexp: error: ") and said in line


def test_help(capsys):
    assert main(["status", "--help"]) == 0
    assert "usage: seqexp status STUDY" in capsys.readouterr().out
    assert main(["status"]) == 2
    assert "usage: seqexp status STUDY" in capsys.readouterr().err


def test_it_needs_nothing_that_is_slow_to_import(study):
    program = (
        "import sys\n"
        "from seqexp.commands.main import main\n"
        "code = main(sys.argv[1:])\n"
        "slow = {'jax', 'flax', 'pandas', 'hydra', 'wandb', 'rich'} & {*sys.modules}\n"
        "sys.exit(code or (f'imported {slow}' if slow else 0))\n"
    )
    command = [sys.executable, "-c", program, "status", str(study)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    # To that process, this one is alive.
    assert "1 running" in done.stdout


def test_a_study_that_has_just_begun(tmp_path, capsys):
    (tmp_path / ".locks").mkdir()
    assert look(tmp_path).runs == []
    assert main(["status", str(tmp_path)]) == 0
    assert "0 runs: 0 finished" in capsys.readouterr().out
