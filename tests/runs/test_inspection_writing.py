"""An inspection is written whole, in the place of the one of its step."""

from __future__ import annotations

import math

import numpy as np
import pytest

from seqexp.runs import store
from seqexp.runs.inspection_writing import forget_inspections_after, write_inspection
from seqexp.runs.inspections import arrays_path, numbers, read_arrays, read_inspections


def write(run, step, value=0.0):
    arrays = {"hidden/layer_1": np.full((1, 2, 3), value, np.float32)}
    write_inspection(run, {"step": step, "level": "light", "half_life/layer_1": value}, arrays)


def test_an_inspection_of_the_same_step_is_replaced_and_none_is_doubled(tmp_path):
    for step, value in ((20, 1.0), (10, math.inf), (20, 3.0)):
        write(tmp_path, step, value)
    lines = store.read(tmp_path / "inspection.jsonl")
    assert [line["step"] for line in lines] == [10, 20]
    assert lines[0]["nonfinite"] == ["half_life/layer_1"]
    assert numbers(lines[1], "half_life") == {"layer_1": 3.0}
    assert read_arrays(tmp_path, 20)["hidden/layer_1"].tolist() == [[[3.0] * 3] * 2]


def test_what_is_written_twice_is_the_same_bytes(tmp_path):
    write(tmp_path, 10)
    first = arrays_path(tmp_path, 10).read_bytes()
    write(tmp_path, 10)
    assert arrays_path(tmp_path, 10).read_bytes() == first


def test_a_training_that_goes_on_makes_later_inspections_anew(tmp_path):
    forget_inspections_after(tmp_path, 5)
    assert not (tmp_path / "inspection.jsonl").exists()
    for step in (10, 20, 100):
        write(tmp_path, step)
    (tmp_path / "inspection" / "figure.png").touch()
    forget_inspections_after(tmp_path, 20)
    assert [line["step"] for line in read_inspections(tmp_path)] == [10, 20]
    assert sorted(path.name for path in (tmp_path / "inspection").iterdir()) == [
        *("10.npz", "20.npz", "figure.png")
    ]


def test_a_crash_leaves_no_half_written_file(tmp_path, monkeypatch):
    write(tmp_path, 10, 1.0)

    def crash(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(store.os, "replace", crash)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path, 10, 2.0)
    monkeypatch.undo()
    assert read_arrays(tmp_path, 10)["hidden/layer_1"].max() == 1.0
    assert [path.name for path in (tmp_path / "inspection").iterdir()] == ["10.npz"]


def test_damaged_lines_are_no_reason_to_train_again(tmp_path):
    write(tmp_path, 10)
    (tmp_path / "inspection.jsonl").write_bytes(b"not json\n{}\n")
    forget_inspections_after(tmp_path, 10)
    assert read_inspections(tmp_path) == []
    (tmp_path / "inspection.jsonl").write_bytes(b"not json\n{}\n")
    write(tmp_path, 20)
    assert [line["step"] for line in read_inspections(tmp_path)] == [20]
