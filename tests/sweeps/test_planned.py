"""A sweep says what it plans before it trains, and others can read it."""

from __future__ import annotations

import sys

import pytest

from seqexp.runs import plans
from seqexp.runs.status import look
from seqexp.sweeps import execute
from tests.sweeps.tiny import TINY
from tests.test_configs import point

pytestmark = pytest.mark.usefixtures("free")

EXECUTE = sys.modules[execute.__module__]


def test_the_plan_is_there_when_the_first_group_begins(tmp_path, monkeypatch):
    place = [f"runs_dir={tmp_path}", "study=a"]
    points = [
        point(*TINY, f"model={model}", f"seed={seed}", *place)
        for model in ("rnn", "gru")
        for seed in (0, 1)
    ]
    seen = []

    def train(group, members, *rest):
        seen.append({run.name: (run.status, run.group, run.steps) for run in look(study).runs})
        return {member.info.id: "not tried" for member in members}

    study = tmp_path / "a"
    monkeypatch.setattr(EXECUTE, "run_group", train)
    execute(points)
    rnn, gru = ("rnn on digits", 9), ("gru on digits", 9)
    assert seen[0] == {
        "rnn digits seed 0": ("running", *rnn),
        "rnn digits seed 1": ("running", *rnn),
        "gru digits seed 0": ("waiting", *gru),
        "gru digits seed 1": ("waiting", *gru),
    }
    assert [status for status, *_ in seen[1].values()] == ["waiting"] * 2 + ["running"] * 2

    # A disk that can't be written is for training to tell.
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(plans, "write", full)
    seen.clear()
    execute(points)
    assert len(seen) == 2
