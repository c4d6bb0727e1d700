"""Locks: one holder at a time, taken over from the dead, and never from the living."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from seqexp.runs import locks
from seqexp.runs.locks import LOCKS, Holder, Locks
from seqexp.types import SeqexpError


def _left(study: Path, name: str = "a", silent: float = 0.0, **other) -> Path:
    """A lock that a holder other than this process left; its file."""
    folder = study / LOCKS / name
    folder.mkdir(parents=True)
    path = folder / "token"
    path.write_text(json.dumps(Holder.this()._replace(**other)._asdict()))
    then = path.stat().st_mtime - silent
    os.utime(path, (then, then))
    return path


@pytest.fixture
def dead() -> int:
    """The id of a process that was."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    return process.pid


def test_one_holds_a_lock_until_it_gives_it_back(tmp_path):
    with Locks(tmp_path) as one, Locks(tmp_path) as two:
        assert one.take("a") is None and one.holds("a")
        assert two.take("a") == two.holder("a") == Holder.this()
        assert not two.holds("a") and two.take("b") is None
        two.release("a")
        assert one.holds("a")
        one.release("a")
        assert two.holder("a") is None and two.take("a") is None
        assert one.take("b") == Holder.this()
    assert not list((tmp_path / LOCKS).iterdir()), "all is given back at the end"


@pytest.mark.parametrize(
    ("silent", "other"),
    [
        pytest.param(0, {"started": "1"}, id="its id is another process's now"),
        pytest.param(locks.SILENT_AFTER_BOOT + 1, {"boot": "other"}, id="before a boot"),
        pytest.param(locks.SILENT + 1, {"host": "other", "boot": "other"}, id="elsewhere, silent"),
        pytest.param(locks.SILENT + 1, {"host": "other", "pid": 1}, id="elsewhere, same kernel"),
    ],
)
def test_a_lock_of_the_dead_is_taken_over(tmp_path, silent, other):
    path = _left(tmp_path, silent=silent, **other)
    with Locks(tmp_path) as mine:
        assert mine.take("a") is None
        assert not path.exists() and mine.holds("a")


def test_who_only_reads_changes_nothing(tmp_path, dead):
    gone = _left(tmp_path, "gone", pid=dead)
    silent = _left(tmp_path, "silent", silent=locks.SILENT + 1, host="other", boot="other")
    _left(tmp_path, "held", host="other", boot="other")
    held = [name for name in ("gone", "silent", "held", "free") if locks.is_held(tmp_path, name)]
    assert held == ["held"] and gone.exists() and silent.exists()
    with Locks(tmp_path) as mine:
        mine.take("mine")
        assert locks.is_held(tmp_path, "mine")
        mine.release("mine")
        assert not locks.is_held(tmp_path, "mine")


def test_a_lock_of_a_process_that_is_gone_is_taken_over_at_once(tmp_path, dead):
    _left(tmp_path, pid=dead)
    with Locks(tmp_path) as mine:
        assert mine.take("a") is None
        assert mine.dead["a"].pid == dead


def test_a_killed_process_is_dead_before_anybody_has_waited_for_it(tmp_path):
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        _left(tmp_path, pid=process.pid, started=locks._started(process.pid))
        with Locks(tmp_path) as mine:
            assert mine.take("a") is not None
            process.kill()
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
            assert mine.take("a") is None


@pytest.mark.parametrize(
    ("silent", "other"),
    [
        pytest.param(1e6, {}, id="here, stopped for long"),
        pytest.param(0, {"boot": "other"}, id="another machine of this name"),
        pytest.param(locks.SILENT - 60, {"host": "other", "boot": "other", "pid": 1}, id="other"),
    ],
)
def test_a_lock_of_the_living_is_not(tmp_path, silent, other):
    path = _left(tmp_path, silent=silent, **other)
    with Locks(tmp_path) as mine:
        assert mine.take("a") == Holder.this()._replace(**other)
    assert path.exists()


def test_an_empty_file_tells_its_age_alone(tmp_path):
    path = _left(tmp_path)
    path.write_text("")
    with Locks(tmp_path) as mine:
        assert "another machine" in str(mine.take("a"))
        os.utime(path, (0, 0))
        assert mine.take("a") is None


def test_what_killed_processes_left_on_their_way_is_removed_when_it_is_old(tmp_path):
    folder = tmp_path / LOCKS
    names = [f".{0:032x}", f".{1:032x}.clock", ".nfs0001"]
    for name, age in [(name, age) for name in names for age in (0, locks.FORGOTTEN + 60)]:
        path = folder / name.replace("0", "a" if age else "0")
        if name == names[0]:
            (path / "token").mkdir(parents=True)
        else:
            path.touch()
        then = path.stat().st_mtime - age
        os.utime(path, (then, then))
    with Locks(tmp_path) as mine:
        mine.take("a")
    left = {path.name for path in folder.iterdir()}
    assert left == {*names, ".nfsaaa1"}


def test_a_folder_inside_a_lock_is_named(tmp_path):
    """Its lock could never be had."""
    stray = tmp_path / LOCKS / "a" / "stray"
    stray.mkdir(parents=True)
    with Locks(tmp_path) as mine, pytest.raises(SeqexpError, match=f"{stray} is a folder"):
        mine.take("a")


def test_a_lock_that_nobody_holds_and_that_stays_full_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "STUCK", 0.0)
    lock = tmp_path / LOCKS / "a"
    lock.mkdir(parents=True)
    (lock / ".DS_Store").touch()
    with Locks(tmp_path) as mine, pytest.raises(SeqexpError, match=f"nobody holds {lock}"):
        mine.take("a")
    assert (lock / ".DS_Store").exists() and not mine.holds("a")


def test_ages_are_told_by_the_clock_of_the_file_system(tmp_path, monkeypatch):
    """Whatever this machine's own clock says."""
    _left(tmp_path, host="other", boot="other")
    monkeypatch.setattr("time.time", lambda: 1e12)
    with Locks(tmp_path) as mine:
        assert mine.take("a") is not None


def test_of_many_that_take_over_one_lock_one_wins(tmp_path, dead):
    for round in range(20):
        _left(tmp_path, f"lock{round}", pid=dead)
        together, winners = threading.Barrier(8), []

        def take(held: Locks, name=f"lock{round}", together=together, winners=winners):
            together.wait()
            if held.take(name) is None:
                winners.append(held)

        studies = [Locks(tmp_path) for _ in range(8)]
        for study in studies:
            study.__enter__()
        threads = [threading.Thread(target=take, args=(study,)) for study in studies]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(winners) == 1 and winners[0].holds(f"lock{round}")
        for study in studies:
            study.__exit__(None, None, None)


def test_a_holder_shows_signs_of_life_and_notices_that_it_was_taken_for_dead(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "BEAT", 0.001)
    with Locks(tmp_path) as mine:
        mine.take("a")
        (path,) = (tmp_path / LOCKS / "a").iterdir()
        os.utime(path, (0, 0))
        while path.stat().st_mtime == 0:  # until the thread has touched it
            pass
        path.unlink()
        with Locks(tmp_path) as other:
            assert other.take("a") is None
            assert not mine.holds("a")
            mine.release("a")
            assert other.holds("a")


def test_who_waits_is_told_for_whom_and_gets_it(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "POLL", 0.001)
    with Locks(tmp_path) as one, Locks(tmp_path) as two:
        one.take("a")
        told = []

        def say(holder: Holder) -> None:
            told.append(str(holder))
            one.release("a")

        two.wait_for("a", say)
        assert two.holds("a") and told == [str(Holder.this())]
        assert str(os.getpid()) in told[0] and Holder.this().host in told[0]


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SeqexpError, match="cannot write to .*choose another folder"):
        Locks(tmp_path / "file").__enter__()
