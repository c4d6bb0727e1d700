"""The archive of a study's records: nothing but the records, and the same for the same ones."""

from __future__ import annotations

import os
import runpy
import tarfile
from pathlib import Path

import pytest
from synthetic_records import write_json, write_run

SCRIPT = Path(__file__).parents[2] / "experiments" / "budgets" / "pack.py"
pack = runpy.run_path(str(SCRIPT))["pack"]


def test_archive_holds_the_records_and_nothing_of_the_machine(tmp_path):
    study = tmp_path / "study"
    folder = write_run(study, "gru", "adding", 0)
    (folder / "weights.msgpack").write_bytes(b"large")
    (study / "cost" / "call").mkdir(parents=True)
    write_json(study / "cost" / "call" / "cost.json", {"format": 1})
    first, second = tmp_path / "first.tar.xz", tmp_path / "second.tar.xz"
    assert pack(study, first) == 6
    for path in study.rglob("*"):
        os.utime(path, (1, 1))
    assert pack(study, second) == 6
    assert first.read_bytes() == second.read_bytes()
    with tarfile.open(first) as archive:
        entries = archive.getmembers()
        archive.extractall(tmp_path / "unpacked", filter="data")
    assert [entry.name for entry in entries] == sorted(
        ["study/cost/call/cost.json"]
        + [
            f"study/gru-adding-0/{name}"
            for name in ("run.json", "metrics.jsonl", "timing.jsonl", "cost.json", "manifest.json")
        ]
    )
    assert {(e.mtime, e.uid, e.gid, e.uname, e.gname) for e in entries} == {(0, 0, 0, "", "")}
    for entry in entries:
        name = Path(entry.name).relative_to("study")
        assert (tmp_path / "unpacked" / entry.name).read_bytes() == (study / name).read_bytes()


def test_a_record_that_tells_of_the_machine_is_refused(tmp_path):
    write_run(tmp_path / "study", "gru", "adding", 0, error="no file /home/me/data.npz")
    with pytest.raises(SystemExit, match="/home/me/data.npz"):
        pack(tmp_path / "study", tmp_path / "archive.tar.xz")
