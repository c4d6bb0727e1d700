"""JSON on disk: nothing that was appended is lost, nothing half is read."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from seqexp.runs import store
from seqexp.types import SeqexpError


def _fill(path: Path, steps: int) -> None:
    for step in range(1, steps + 1):
        store.append(path, {"step": step, "train/loss": 1 / step})


def test_what_is_appended_is_read(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    _fill(path, 5)
    records = store.read(path)
    assert [record["step"] for record in records] == [1, 2, 3, 4, 5]
    assert [record["train/loss"] for record in records] == [1 / step for step in range(1, 6)]
    assert store.read(tmp_path / "absent.jsonl") == []


def test_the_same_records_are_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        _fill(tmp_path / name, 20)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_torn_last_line_is_dropped_wherever_it_is_torn(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    _fill(path, 3)
    whole = path.read_bytes()
    last = whole.rindex(b"\n", 0, -1) + 1
    for end in range(last, len(whole)):
        path.write_bytes(whole[:end])
        assert [record["step"] for record in store.read(path)] == [1, 2]


def test_appending_after_a_torn_line_loses_only_that_line(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    for torn in (b'{"step": 3, "tr', b'{"step": 3}', b"x" * 10_000):
        path.unlink(missing_ok=True)
        _fill(path, 2)
        with open(path, "ab") as file:
            file.write(torn)
        store.append(path, {"step": 4})
        assert [record["step"] for record in store.read(path)] == [1, 2, 4]


def test_appending_to_a_file_that_is_one_torn_line(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b"y" * 5_000)
    store.append(path, {"step": 1})
    assert path.read_bytes() == b'{"step": 1}\n'


def test_a_damaged_line_in_the_middle_names_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1}\n{"step": \n{"step": 3}\n')
    for read in (store.read, lambda path: store.truncate_after(path, 1)):
        with pytest.raises(SeqexpError, match=r"metrics\.jsonl, line 2 is damaged") as error:
            read(path)
        assert "\n" not in str(error.value)


def test_what_can_be_read_of_a_damaged_file_is_read(tmp_path: Path) -> None:
    found = store.parse_lines(b'{"a": 1}\n[2]\n{"a": \n\n{"a": 3}\n{"a": 4}')
    assert found.records == [{"a": 1}, None, None, None, {"a": 3}] and found.torn
    assert [line for line, _ in found.complaints] == [2, 3, 4]
    assert found.complaints[0].what == "no JSON object"
    assert store.parse_lines(b"") == ([], [], [], False)
    # Together they would be one object.
    assert store.parse_lines(b'{"a": 1\n"b": 2}\n').records == [None, None]


def test_truncation_keeps_bytes(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    # Spaces that our writer would not leave: the lines must be copied, not written anew.
    lines = [b'{"step":   %d, "x": 0.10}\n' % step for step in (10, 20, 30)]
    path.write_bytes(b"".join(lines) + b'{"step": 40')
    store.truncate_after(path, 40)
    assert path.read_bytes() == b"".join(lines)
    store.truncate_after(path, 20)
    assert path.read_bytes() == b"".join(lines[:2])
    store.truncate_after(path, 0)
    assert path.read_bytes() == b""
    store.truncate_after(tmp_path / "absent.jsonl", 3)
    assert os.listdir(tmp_path) == ["metrics.jsonl"]


def test_nonfinite_values_are_null_and_named(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    record = {"step": 1, "train/loss": math.nan, "a": math.inf, "b": np.float32(-np.inf), "c": 1.0}
    store.append(path, record)
    assert store.read(path) == [
        {
            "step": 1,
            "train/loss": None,
            "a": None,
            "b": None,
            "c": 1.0,
            "nonfinite": ["train/loss", "a", "b"],
        }
    ]
    strict = json.loads(path.read_text(), parse_constant=lambda word: pytest.fail(word))
    assert strict["step"] == 1


def test_nested_nonfinite_values_are_named_by_path(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    store.write_json_atomic(path, {"score": {"valid": math.nan, "test": 1.0}, "x": [0.0, math.inf]})
    assert store.read_json(path) == {
        "score": {"valid": None, "test": 1.0},
        "x": [0.0, None],
        "nonfinite": ["score/valid", "x/1"],
    }


def test_numbers_of_numpy_come_back_exactly(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    loss = np.float32(0.1)
    store.append(path, {"step": np.int64(3), "loss": loss, "row": np.arange(2), "yes": np.True_})
    (record,) = store.read(path)
    assert record == {"step": 3, "loss": float(loss), "row": [0, 1], "yes": True}
    assert np.float32(record["loss"]).tobytes() == loss.tobytes()


def test_json_is_read_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    assert store.read_json(path) is None
    for torn in ("", '{"status": "finis', "[1]", "\0\0\0"):
        path.write_text(torn)
        with pytest.raises(SeqexpError, match=r"run\.json"):
            store.read_json(path)
    store.write_json_atomic(path, {"name": "größe", "n": 1})
    assert store.read_json(path) == {"name": "größe", "n": 1}


@pytest.mark.parametrize("broken", ["fsync", "replace"])
def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    path = tmp_path / "run.json"
    store.write_json_atomic(path, {"status": "running"})

    def fail(*arguments: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(os, broken, fail)
    with pytest.raises(OSError, match="no space"):
        store.write_json_atomic(path, {"status": "finished"})
    monkeypatch.undo()
    assert store.read_json(path) == {"status": "running"}
    assert os.listdir(tmp_path) == ["run.json"]


_WRITER = """
import sys
from pathlib import Path
from seqexp.runs import store

folder, text = Path(sys.argv[1]), "x" * 3000
for step in range(1, 1_000_000):
    store.append(folder / "metrics.jsonl", {"step": step, "text": text})
    store.write_json_atomic(folder / "run.json", {"step": step, "text": text})
    print(step, flush=True)
"""


def test_a_killed_writer_loses_nothing_that_it_wrote(tmp_path: Path) -> None:
    """SIGKILL in the middle of writing: every record that was acknowledged is there, and whole."""
    with subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(tmp_path)], stdout=subprocess.PIPE
    ) as child:
        assert child.stdout
        acknowledged = 0
        while acknowledged < 50:
            acknowledged = int(child.stdout.readline())
        child.send_signal(signal.SIGKILL)
        rest = child.stdout.read().split()
    acknowledged = int(rest[-1]) if rest else acknowledged
    records = store.read(tmp_path / "metrics.jsonl")
    assert [record["step"] for record in records] == list(range(1, len(records) + 1))
    assert len(records) >= acknowledged
    assert all(record["text"] == "x" * 3000 for record in records)
    run = store.read_json(tmp_path / "run.json")
    assert run is not None and run["step"] >= acknowledged


def test_a_file_that_two_write_at_once_is_that_of_the_last(tmp_path, monkeypatch):
    path, replace = tmp_path / "a.json", os.replace

    def meanwhile(*arguments):
        monkeypatch.setattr(os, "replace", replace)
        store.write_json_atomic(path, {"by": 2}, shared=True)
        replace(*arguments)

    monkeypatch.setattr(os, "replace", meanwhile)
    store.write_json_atomic(path, {"by": 1}, shared=True)
    assert store.read_json(path) == {"by": 1} and list(tmp_path.iterdir()) == [path]
