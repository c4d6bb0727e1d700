"""What is said of each run of a study that is planned, recorded, both or damaged."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from seqexp.errors import SeqexpError
from seqexp.runs import jobs, plans
from seqexp.runs.attempts import Attempt, write
from seqexp.runs.jobs import Job
from seqexp.runs.locks import LOCKS, holder_of, is_held
from seqexp.runs.manifest import Machine
from seqexp.runs.plans import PlannedRun
from seqexp.runs.status import RunStatus, look
from tests.watch.growing_study import STARTED, add, hold, write_run

CPU = {"model": "Quick 9", "cores": 8, "usable": 4}


def of(study: Path) -> dict[str, RunStatus]:
    """By folder."""
    return {run.run: run for run in look(study).runs}


def told(study: Path) -> dict[str, tuple[str, str]]:
    return {name: (run.status, run.why) for name, run in of(study).items()}


def planned(study: Path, *ids: str) -> None:
    plans.write(study, [PlannedRun(id, id, f"planned {id}", "lstm on adding", 100) for id in ids])


def timed(folder: Path, *points: tuple[int, float]) -> None:
    add(folder, *({"step": s, "seconds": t} for s, t in points), file="timing.jsonl")


def job(study: Path, key: str, *runs: str, **changes: Any) -> None:
    first = {
        "executor": "submitit",
        "folder": "1-a",
        "handle": "17_0",
        "group": "lstm",
        "state": "submitted",
    }
    first |= {"submitted_at": "2026-11-01T12:00:00+00:00", "tries": 2, "why": None}
    jobs.write(study, Job(**{"key": key, "runs": runs, **first, **changes}))


def test_every_run_is_told_once(tmp_path):
    score = {"name": "mse", "goal": "min", "step": 90, "valid": 0.25, "test": 0.5}
    write_run(tmp_path, "done", status="finished", score=score)
    write_run(tmp_path, "lost", status="diverged", diverged_step=43)
    write_run(tmp_path, "failed", status="failed", error="no memory")
    write_run(tmp_path, "old", format=0)
    for id in ("trains", "stopped", "killed"):
        timed(write_run(tmp_path, id), (10, 1.0), (30, 5.0))
    write(tmp_path / "killed", Attempt(0, 0, "training", None))
    planned(tmp_path, "later", "done", "trains", "begins")
    hold(tmp_path, "trains")
    hold(tmp_path, "begins")
    (tmp_path / "report").mkdir()
    assert told(tmp_path) == {
        "later": ("waiting", "planned"),
        "done": ("finished", ""),
        "trains": ("running", ""),
        "begins": ("running", ""),
        "failed": ("failed", "no memory"),
        "killed": ("waiting", "its process died after step 30 while training"),
        "lost": ("diverged", "at step 43"),
        "old": ("unreadable", "run.json: format 0 is not 1, the one known here"),
        "stopped": ("waiting", "interrupted after step 30"),
    }
    assert look(tmp_path).counts == {
        **{"finished": 1, "diverged": 1, "running": 2, "waiting": 3, "failed": 1, "unreadable": 1}
    }
    found = of(tmp_path)
    assert (found["later"].name, found["later"].steps) == ("planned later", 100)
    assert (found["begins"].since, found["begins"].step) == (None, None)
    assert (found["lost"].step, found["lost"].group) == (43, None)
    assert found["done"].group == "lstm on adding"


def test_where_a_run_trains_and_how_long_it_will_take(tmp_path):
    folder = write_run(tmp_path, "a")
    (folder / "manifest.json").write_text(json.dumps({"started_at": STARTED, "cpu": CPU}))
    hold(tmp_path, "a")
    run = of(tmp_path)["a"]
    assert (run.host, run.pid, run.since) == (socket.gethostname(), os.getpid(), STARTED)
    assert run.machine == Machine("Quick 9", 4, None)
    assert (run.step, run.steps, run.seconds_left) == (None, 100, None)
    timed(folder, (10, 2.0))
    assert of(tmp_path)["a"].seconds_left == 18.0
    timed(folder, (30, 12.0))  # ten seconds for twenty steps, of which seventy are left
    assert (of(tmp_path)["a"].step, of(tmp_path)["a"].seconds_left) == (30, 35.0)
    with open(folder / "timing.jsonl", "a") as file:
        file.write('{"step": 40, "seco')  # being written
    assert of(tmp_path)["a"].step == 30
    # Another machine goes on with it.
    there = {"started_at": "2026-11-02T00:00:00+00:00", "device_kind": "gpu", "step": 30}
    first = {"started_at": STARTED, "cpu": CPU, "resumed": [there]}
    (folder / "manifest.json").write_text(json.dumps(first))
    assert of(tmp_path)["a"].since == there["started_at"]
    assert of(tmp_path)["a"].machine == Machine(None, None, "gpu")


def test_the_end_of_many_times_is_enough(tmp_path):
    timed(write_run(tmp_path, "a"), *((step, float(step * step)) for step in range(1, 91)))
    hold(tmp_path, "a")
    run = of(tmp_path)["a"]
    assert (run.step, run.seconds_left) == (90, 10 * (90**2 - 89**2))


def test_what_jobs_of_a_cluster_add(tmp_path):
    planned(tmp_path, *"abcde")
    score = {"name": "mse", "goal": "min", "step": 90, "valid": 0.25, "test": 0.5}
    write_run(tmp_path, "d", status="finished", score=score)
    write_run(tmp_path, "f", status="failed", error="its own reason")
    job(tmp_path, "1", "a", "b", "c", "d", "e", "f", state="failed", why="node lost")
    job(tmp_path, "2", "a", executor="ray", handle="r-1", submitted_at="2026-11-01T13:00:00+00:00")
    job(tmp_path, "3", "e", state="ended", submitted_at="2026-11-01T13:00:00+00:00")
    hold(tmp_path, "c")
    assert told(tmp_path) == {
        "a": ("waiting", "submitted to ray as r-1 at 2026-11-01T13:00:00+00:00 (try 2)"),
        "b": ("failed", "node lost"),
        "c": ("running", ""),
        "d": ("finished", ""),
        "e": ("waiting", "planned"),
        "f": ("failed", "its own reason"),
    }
    found = of(tmp_path)["a"].job
    assert found is not None and found.key == "2"


def test_a_record_in_another_folder_is_the_planned_run(tmp_path):
    planned(tmp_path, "a", "b")
    write_run(tmp_path, "a").rename(tmp_path / "renamed")
    hold(tmp_path, "a")
    assert told(tmp_path) == {"renamed": ("running", ""), "b": ("waiting", "planned")}


def test_damage_is_told_and_stops_nothing(tmp_path):
    planned(tmp_path, "a")
    (tmp_path / ".planned" / "0123456789abcdef.json").write_text("{")
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "run.json").write_text('{"format": 1, "id"')
    folder = write_run(tmp_path, "b")
    (folder / "manifest.json").write_text("[]")
    (folder / "timing.jsonl").write_text('{"step": "x"}\n[]\n{"step": 3, "seconds": null}\n')
    hold(tmp_path, "b")
    assert told(tmp_path) == {
        "a": ("waiting", "planned"),
        "b": ("running", ""),
        "torn": ("unreadable", "run.json is damaged or can't be read"),
    }
    assert of(tmp_path)["b"].step is None
    (problem,) = look(tmp_path).problems
    assert "0123456789abcdef.json" in problem


def test_what_is_no_study(tmp_path):
    with pytest.raises(SeqexpError, match="there is no such folder"):
        look(tmp_path / "none")
    (tmp_path / "notes").mkdir()
    with pytest.raises(SeqexpError, match="it holds no run, and none is planned there"):
        look(tmp_path)


def test_who_holds_a_lock_by_reading_alone(tmp_path):
    assert holder_of(tmp_path, "a") is None
    hold(tmp_path, "a")
    holder = holder_of(tmp_path, "a")
    assert holder is not None and holder.pid == os.getpid() and is_held(tmp_path, "a")
    (tmp_path / LOCKS / "a" / "token").write_text(json.dumps(holder._replace(pid=2**30)._asdict()))
    assert holder_of(tmp_path, "a") is None and not is_held(tmp_path, "a")
    assert (tmp_path / LOCKS / "a" / "token").exists(), "whoever takes it over removes it"
