"""Baselines are computed once for the same data, settings and code."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from seqexp.data import cache
from seqexp.tasks import Adding
from seqexp.tasks.baselines import measured_baselines
from seqexp.types import Splits


@dataclass(frozen=True, kw_only=True)
class Stored(Adding):
    file: str = "a"

    def data_hashes(self):
        return {"file": self.file}


TASK = Stored(length=4, valid_examples=2, test_examples=3)


@pytest.fixture
def folder(monkeypatch, tmp_path):
    monkeypatch.setattr(cache.platformdirs, "user_cache_dir", lambda project: tmp_path / project)
    return tmp_path / "seqexp" / "baselines"


class Counted:
    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, splits: Splits) -> float:
        self.calls += 1
        return float(splits.held_out["test"][0].inputs.lengths.sum()) + self.calls


def test_they_are_computed_once(folder):
    method = Counted()
    assert measured_baselines(TASK, {"steps": method}) == {"steps": 13.0}
    assert measured_baselines(TASK, {"steps": method}) == {"steps": 13.0}
    assert len(list(folder.iterdir())) == 1


@pytest.mark.parametrize(
    "other",
    [
        Stored(length=5, valid_examples=2, test_examples=3),
        Stored(length=4, valid_examples=2, test_examples=3, file="b"),
    ],
    ids=["settings", "data"],
)
def test_another_task_has_its_own(folder, other):
    method = Counted()
    measured_baselines(TASK, {"steps": method})
    measured_baselines(other, {"steps": method})
    assert method.calls == 2


@pytest.mark.parametrize("torn", ['{"steps": 1', '{"other": 1}', '{"steps": NaN}', '["steps"]'])
def test_a_torn_file_is_computed_again(folder, torn):
    method = Counted()
    measured_baselines(TASK, {"steps": method})
    (kept,) = folder.iterdir()
    kept.write_text(torn)
    assert measured_baselines(TASK, {"steps": method}) == {"steps": 14.0}


def test_a_cache_that_cannot_be_written_to_costs_nothing(monkeypatch, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    monkeypatch.setattr(cache.platformdirs, "user_cache_dir", lambda project: blocked / project)
    assert measured_baselines(TASK, {"steps": Counted()}) == {"steps": 13.0}
