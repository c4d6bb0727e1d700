"""A process that dies: the next trains the others first, and gives up what died twice."""

from __future__ import annotations

import contextlib
import json
import os
import signal

import pytest

from seqexp.runs.attempts import NOTE
from seqexp.runs.store import read_json
from seqexp.sweeps import execute, group_run
from tests.sweeps.tiny import TINY, runs, start
from tests.test_configs import point

pytestmark = pytest.mark.usefixtures("free")


class Killed(BaseException):
    """In place of SIGKILL, which leaves no process to go on testing."""


@pytest.fixture
def killed(monkeypatch):
    """A function that lets whatever trains wider models die, as if the system killed it."""

    def die_in(name, condition=lambda *_: True):
        whole = getattr(group_run, name)

        def dying(first, *others):
            if first.experiment.model.keywords["features"] > 3 and condition(first, *others):
                patch.setattr(group_run.attempts, "remove", lambda directory: None)
                raise Killed
            return whole(first, *others)

        patch.setattr(group_run, name, dying)

    with monkeypatch.context() as patch:
        die_in.no_more = patch.undo
        yield die_in


def _points(tmp_path, *more):
    place = [*TINY, "model=rnn", f"runs_dir={tmp_path}", "study=a", *more]
    return [point(*place, f"model.features={width}") for width in (4, 3)]


def _statuses(tmp_path):
    found = runs(tmp_path / "a").values()
    return {run["config"]["model"]["features"]: run["status"] for run in found}


def test_what_died_twice_is_given_up_and_the_others_are_trained(tmp_path, killed, capsys):
    killed("measure_costs")
    with contextlib.suppress(Killed):
        execute(_points(tmp_path))
        pytest.fail("it was to be killed")
    assert _statuses(tmp_path) == {4: "running"}, "its record came first"
    (note,) = (tmp_path / "a").glob(f"*/{NOTE}")
    assert json.loads(note.read_text())["during"] == "measuring costs"

    with contextlib.suppress(Killed):
        execute(_points(tmp_path))
        pytest.fail("it was to be killed")
    assert _statuses(tmp_path) == {4: "running", 3: "finished"}, "the others first"

    outcomes = execute(_points(tmp_path))
    assert [outcome.status for outcome in outcomes] == ["failed", "skipped"]
    said = "its process died twice while measuring costs, without having gained a checkpoint"
    assert said in outcomes[0].detail
    assert f"rerun=stale tries again, and so does deleting {note}" in outcomes[0].detail
    assert runs(tmp_path / "a")[note.parent.name]["error"] == outcomes[0].detail
    assert [outcome.status for outcome in execute(_points(tmp_path))] == ["failed", "skipped"]


@pytest.mark.full
@pytest.mark.parametrize("rerun", ["stale", "always"])
def test_a_rerun_tries_again_what_died_twice(tmp_path, killed, rerun):
    """A user or a scheduler may have killed it, and want of memory have nothing to do with it."""
    killed("measure_costs")
    for _ in range(2):
        with contextlib.suppress(Killed):
            execute(_points(tmp_path)[:1])
            pytest.fail("it was to be killed")
    killed.no_more()
    assert execute(_points(tmp_path)[:1])[0].status == "failed"
    assert execute(_points(tmp_path, f"rerun={rerun}")[:1])[0].status == "finished"
    assert not list((tmp_path / "a").glob(f"*/{NOTE}"))


@pytest.mark.full
def test_a_note_that_is_deleted_is_forgotten(tmp_path, killed):
    killed("measure_costs")
    for _ in range(2):
        with contextlib.suppress(Killed):
            execute(_points(tmp_path)[:1])
            pytest.fail("it was to be killed")
    killed.no_more()
    assert execute(_points(tmp_path)[:1])[0].status == "failed"
    for note in (tmp_path / "a").glob(f"*/{NOTE}"):
        note.unlink()
    assert execute(_points(tmp_path)[:1])[0].status == "finished"
    assert not list((tmp_path / "a").glob(f"*/{NOTE}"))


@pytest.mark.full
def test_a_run_that_gains_a_checkpoint_each_time_goes_on(tmp_path, killed):
    """Killed after each evaluation but the last, more often than may be without progress."""
    killed("_close")
    seen = []

    def after_one(program, opened, interval, *others):
        seen.append(max(interval.steps))
        return len(seen) > 1 and seen[-1] > min(seen)

    killed("_save", after_one)
    deaths = 0
    for _ in range(6):
        seen.clear()
        try:
            execute(_points(tmp_path, "trainer.steps=15")[:1])
        except Killed:
            deaths += 1
    # One dies at steps 6, 9, 12 and 15, having saved 3, 6, 9 and 12; then `_close` dies twice.
    (note,) = (tmp_path / "a").glob(f"*/{NOTE}")
    assert deaths >= 4 and json.loads(note.read_text())["step"] >= 12


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit, ValueError])
def test_what_ends_by_itself_leaves_no_note(tmp_path, monkeypatch, stop):
    def stopping(*_):
        assert list((tmp_path / "a").glob(f"*/{NOTE}"))
        raise stop

    monkeypatch.setattr(group_run, "measure_costs", stopping)
    with contextlib.suppress(KeyboardInterrupt, SystemExit):
        execute(_points(tmp_path)[:1])
    assert _statuses(tmp_path) == {4: "failed" if stop is ValueError else "running"}
    assert not list((tmp_path / "a").glob(f"*/{NOTE}"))


@pytest.mark.full
def test_a_process_that_is_killed_leaves_its_note(tmp_path):
    arguments = ["run", *TINY, "model=rnn", f"runs_dir={tmp_path}", "study=a"]
    for deaths in (0, 1):
        process = start(*arguments)
        while not list((tmp_path / "a").glob(f"*/{NOTE}")) or _died(tmp_path) < deaths:
            assert process.poll() is None
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    process = start(*arguments)
    said, _ = process.communicate(timeout=900)
    assert process.returncode == 1 and "its process died twice while" in said


def _died(tmp_path):
    (note,) = (tmp_path / "a").glob(f"*/{NOTE}")
    return (read_json(note) or {"died": -1})["died"]
