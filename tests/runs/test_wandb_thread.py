"""A wandb that hangs holds nothing up: a time-out, one warning, and training goes on."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from seqexp.runs import endings, wandb_session, wandb_thread
from seqexp.runs.record import RunRecord
from seqexp.runs.store import read, read_json
from seqexp.runs.wandb_mirror import KILLED, Mirror, MirroredRun
from seqexp.runs.wandb_study import Comparison, log_study
from seqexp.runs.wandb_thread import Unresponsive, in_time
from tests.runs.test_run_wandb_mirror import OFFLINE, finish, log_steps, run_info


@pytest.fixture(autouse=True)
def _anew(monkeypatch):
    """As in a process where nothing hangs yet, and hardly anything is waited for."""
    monkeypatch.setattr(wandb_thread, "_callers", [])
    monkeypatch.setattr(endings, "_sudden", [])
    for name in ("CALL_TIMEOUT", "FINISH_TIMEOUT", "INIT_TIMEOUT", "KILL_TIMEOUT"):
        monkeypatch.setattr(wandb_session, name, 0.02)


class Hanging:
    """An open run of wandb whose methods return when `answers` is set, and not before.

    Args:
        only: the methods that hang; all by default.
    """

    starting_step, dir = 0, ""

    def __init__(self, *only: str):
        self.answers, self.called, self.only = threading.Event(), [], only
        self.summary = self

    def _call(self, name: str, **said) -> None:
        self.called.append((name, said))
        if not self.only or name in self.only:
            self.answers.wait()

    def update(self, values):
        self._call("update", **values)

    def log(self, values, step):
        self._call("log")

    def save(self, *args, **how):
        self._call("save")

    def finish(self, exit_code):
        self._call("finish", exit_code=exit_code)


@pytest.fixture
def hanging(tmp_path, monkeypatch):
    run = Hanging()
    run.dir = str(tmp_path)
    monkeypatch.setattr(Mirror, "_open", lambda self, *_: run)
    yield run
    run.answers.set()


def test_what_is_returned_or_raised_in_time_comes_through():
    assert in_time(60, lambda: 7) == 7
    with pytest.raises(TimeoutError, match="of the call"):
        in_time(60, lambda: (_ for _ in ()).throw(TimeoutError("of the call")))
    assert in_time(60, threading.current_thread) is in_time(60, threading.current_thread)
    assert not endings.is_sudden()


def test_what_hangs_is_given_up_once_and_for_all(caplog):
    answers = threading.Event()
    with caplog.at_level(logging.WARNING):
        with pytest.raises(Unresponsive):
            in_time(0.01, answers.wait)
        with pytest.raises(Unresponsive):
            in_time(60, lambda: 7)
    assert len(caplog.records) == 1
    assert endings.is_sudden(), "wandb's own exit function would hang as well"
    answers.set()


@pytest.mark.parametrize("method", ["log", "save", "finish"])
def test_a_record_is_whole_whatever_of_wandb_hangs(method, hanging, tmp_path, caplog):
    hanging.only = (method,)
    with caplog.at_level(logging.WARNING):
        records = [RunRecord.create(tmp_path, run_info(seed), {}, OFFLINE) for seed in (0, 1)]
        for record in records:
            log_steps(record, 1, 3)
            finish(record)
    for record in records:
        assert len(read(record.directory / "metrics.jsonl")) == 3
        run = read_json(record.directory / "run.json")
        assert run is not None and run["status"] == "finished"
    (warning,) = caplog.records
    assert "wandb has not answered for" in warning.message


def test_a_run_that_does_not_open_is_not_waited_for(monkeypatch, tmp_path, caplog):
    answers = threading.Event()
    monkeypatch.setattr(Mirror, "_open", lambda self, *_: answers.wait())
    with caplog.at_level(logging.WARNING):
        record = RunRecord.create(tmp_path, run_info(0), {}, OFFLINE)
        log_steps(record, 1, 3)
        finish(record)
        comparison = Comparison("study", [], {}, {}, {})
        assert log_study(OFFLINE, comparison, tmp_path) is None
    assert len(caplog.records) == 1
    answers.set()


def test_a_run_that_is_interrupted_is_killed_in_wandb():
    run = Hanging("nothing")
    MirroredRun(run).kill()  # pyright: ignore[reportArgumentType]
    assert run.called == [("update", {"status": "killed"}), ("finish", {"exit_code": KILLED})]


PROGRAM = """
import os, signal, sys
from pathlib import Path
from seqexp.commands import main
from seqexp.runs import wandb_session
sys.path.insert(0, {tests!r})

def command(arguments):
    from tests.runs.test_run_wandb_mirror import OFFLINE, finish, run_info, log_steps
    from seqexp.runs.record import RunRecord
    record = RunRecord.create(Path({folder!r}), run_info(0), {{}}, OFFLINE)
    wandb_session.CALL_TIMEOUT = wandb_session.FINISH_TIMEOUT = 0.5
    for child in Path("/proc/self/task").glob("*/children"):
        for pid in child.read_text().split():
            if b"wandb" in Path(f"/proc/{{pid}}/cmdline").read_bytes():
                os.kill(int(pid), signal.SIGSTOP)
                print("stopped", pid, flush=True)
    log_steps(record, 1, 3)
    finish(record)
    print(record.run["status"], flush=True)
    return 0

main._command = lambda name: command
main.main()
"""


@pytest.mark.full
def test_a_process_of_wandb_that_is_stopped_holds_nothing_up(tmp_path, unknown_to_wandb):
    program = PROGRAM.format(folder=str(tmp_path), tests=str(Path(__file__).parent))
    # Files, for the process that is stopped holds the other end of a pipe as well.
    out, err = tmp_path / "out", tmp_path / "err"
    with open(out, "w") as stdout, open(err, "w") as stderr:
        code = subprocess.call(
            [sys.executable, "-c", program, "work"], stdout=stdout, stderr=stderr, timeout=900
        )
    (_, pid), (status,) = [line.split() for line in out.read_text().splitlines()]
    os.kill(int(pid), signal.SIGKILL)
    assert status == "finished" and code == 0
    assert err.read_text().count("wandb has not answered") == 1
