"""A folder that is replaced is the old one or the whole new one, whatever happens."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path

import pytest

from seqexp.runs.replacing import replaced
from seqexp.types import SeqexpError

OURS = ("page", "*.svg")


def inside(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(folder.iterdir())}


@pytest.fixture
def folder(tmp_path):
    """An earlier result, and what somebody else put beside it."""
    folder = tmp_path / "study" / "report"
    folder.mkdir(parents=True)
    for name in ("page", "old.svg", "notes"):
        (folder / name).write_text(f"old {name}")
    return folder


def test_it_takes_the_place_and_keeps_what_is_not_ours(folder):
    with replaced(folder, OURS, "mend it") as new:
        (new / "page").write_text("new")
        assert inside(folder)["page"] == "old page"
    assert inside(folder) == {"notes": "old notes", "page": "new"}
    assert [path.name for path in folder.parent.iterdir()] == ["report"]


def test_a_first_one_makes_its_parents(tmp_path):
    with replaced(tmp_path / "a" / "b", OURS, "mend it") as new:
        (new / "page").write_text("new")
    assert inside(tmp_path / "a" / "b") == {"page": "new"}


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left"), KeyboardInterrupt()])
def test_an_old_one_survives_what_goes_wrong(folder, error):
    before = inside(folder)
    with pytest.raises((SeqexpError, KeyboardInterrupt)) as raised:
        with replaced(folder, OURS, "mend it") as new:
            (new / "page").write_text("half")
            raise error
    if raised.type is SeqexpError:
        assert str(raised.value) == f"cannot write to {folder} (No space left); mend it"
    assert inside(folder) == before
    assert [path.name for path in folder.parent.iterdir()] == ["report"]


@pytest.mark.parametrize("failing", [1, 2])
def test_an_old_one_survives_a_rename_that_fails(folder, monkeypatch, failing):
    before, calls, rename = inside(folder), [], Path.rename

    def fails(path, target):
        calls.append(path)
        if len(calls) == failing:
            raise PermissionError(errno.EPERM, "Operation not permitted")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", fails)
    with pytest.raises(SeqexpError, match="Operation not permitted"):
        with replaced(folder, OURS, "mend it") as new:
            (new / "page").write_text("new")
    assert inside(folder) == before


def test_another_process_may_put_its_own_there_first(folder, monkeypatch):
    rename = Path.rename

    def raced(path, target):
        if target == folder and not folder.exists():
            folder.mkdir()
            (folder / "page").write_text("theirs")
            monkeypatch.setattr(Path, "rename", rename)
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", raced)
    with replaced(folder, OURS, "mend it") as new:
        (new / "page").write_text("ours")
    assert inside(folder)["page"] == "ours"


def test_a_file_in_its_place_is_left_alone(tmp_path):
    (tmp_path / "report").write_text("a file")
    with pytest.raises(SeqexpError, match=r"report \(it is a file\); mend it"):
        with replaced(tmp_path / "report", OURS, "mend it"):
            raise AssertionError("not reached")
    assert (tmp_path / "report").read_text() == "a file"


def test_a_parent_that_is_a_file_is_one_line(tmp_path):
    (tmp_path / "study").write_text("a file")
    with pytest.raises(SeqexpError, match=r"cannot write to .*report \(.*\); mend it"):
        with replaced(tmp_path / "study" / "report", OURS, "mend it"):
            raise AssertionError("not reached")


def test_what_a_killed_process_left_goes_after_an_hour(folder):
    for name, age in (("aaaaaaaa", 7200), ("bbbbbbbb", 60)):
        left = folder.with_name(f".report-{name}")
        left.mkdir()
        os.utime(left, (time.time() - age, time.time() - age))
    with replaced(folder, OURS, "mend it"):
        pass
    assert sorted(path.name for path in folder.parent.iterdir()) == [".report-bbbbbbbb", "report"]
