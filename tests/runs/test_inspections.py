"""What is read of inspections is what was written, whatever else stands in the files."""

from __future__ import annotations

import math

import numpy as np
import pytest

from seqexp.runs.inspections import arrays_path, numbers, read_arrays, read_inspections
from seqexp.runs.store import Damaged, append


def test_a_run_without_inspections_has_none(tmp_path):
    assert read_inspections(tmp_path) == []
    assert read_arrays(tmp_path, 100) == {}


def test_inspections_come_in_the_order_of_their_steps_and_the_later_line_counts(tmp_path):
    for step, value in ((200, 1.0), (100, 2.0), (200, 3.0)):
        append(tmp_path / "inspection.jsonl", {"step": step, "dead/layer_1": value})
    found = read_inspections(tmp_path)
    assert [(line["step"], line["dead/layer_1"]) for line in found] == [(100, 2.0), (200, 3.0)]


def test_numbers_that_were_not_finite_are_nan_and_words_are_none_of_them(tmp_path):
    line = {"step": 1, "half_life/layer_1": math.inf, "half_life/layer_2": 2, "half_life/x": "?"}
    append(tmp_path / "inspection.jsonl", line | {"half_lives/layer_1": 3.0})
    [line] = read_inspections(tmp_path)
    found = numbers(line, "half_life")
    assert math.isnan(found.pop("layer_1")) and found == {"layer_2": 2.0}


def test_a_line_without_a_step_and_a_broken_file_are_named_with_what_to_do(tmp_path):
    append(tmp_path / "inspection.jsonl", {"level": "full"})
    with pytest.raises(Damaged, match=r"inspection.jsonl, line 1 has no step; seqexp inspect RUN"):
        read_inspections(tmp_path)
    path = arrays_path(tmp_path, 7)
    path.parent.mkdir()
    np.savez_compressed(path, lengths=np.arange(1000))
    data = bytearray(path.read_bytes())
    for broken in (b"", b"no archive", data[: len(data) // 2], data[:200] + b"x" * 100):
        path.write_bytes(broken)
        with pytest.raises(Damaged, match=r"7.npz can't be read .*; seqexp inspect RUN"):
            read_arrays(tmp_path, 7)
    path.write_bytes(data)
    assert read_arrays(tmp_path, 7)["lengths"].tolist() == list(range(1000))


def test_only_the_kinds_that_are_asked_for_are_read(tmp_path):
    path = arrays_path(tmp_path, 3)
    path.parent.mkdir()
    arrays = {"hidden/layer_1": np.ones(2), "hidden_more": np.ones(1), "lengths": np.ones(3)}
    np.savez(path, allow_pickle=False, **arrays)
    assert set(read_arrays(tmp_path, 3)) == set(arrays)
    assert set(read_arrays(tmp_path, 3, "hidden", "lengths")) == {"hidden/layer_1", "lengths"}
