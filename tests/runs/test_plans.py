"""What a sweep plans, and the jobs of a cluster: written for others, and read with suspicion."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from seqexp.runs import jobs, plans
from seqexp.runs.jobs import Job
from seqexp.runs.locks import Holder
from seqexp.runs.plans import PlannedRun

A, B, C = (PlannedRun(id, id, f"lstm seed {id}", "lstm on digits", 100) for id in "abc")
JOB = Job(
    key="k",
    executor="submitit",
    folder="k-1",
    handle="17_0",
    group="lstm",
    runs=("a", "b"),
    submitted_at="2026-11-01T12:00:00",
    tries=1,
    state="submitted",
    why=None,
)


def test_the_plans_of_a_study_are_one_list(tmp_path):
    assert plans.read(tmp_path) == []
    plans.write(tmp_path / "study", [A, B])
    plans.write(tmp_path / "study", [B, C])
    assert {run.id: run for run in plans.read(tmp_path / "study")} == {"a": A, "b": B, "c": C}
    plans.write(tmp_path / "study", [B, A])
    files = list((tmp_path / "study" / ".planned").iterdir())
    assert len(files) == 2, "the same runs are one plan"
    assert all(len(path.stem) == 16 for path in files)
    assert {tuple(json.loads(path.read_text())["who"]) for path in files} == {Holder._fields}


def test_of_two_plans_the_later_one_counts(tmp_path):
    plans.write(tmp_path, [A, B])
    (early,) = (tmp_path / ".planned").iterdir()
    plan = json.loads(early.read_text())
    early.write_text(json.dumps(plan | {"time": "2020-01-01T00:00:00+00:00"}))
    longer = replace(A, steps=200)
    plans.write(tmp_path, [longer])
    assert plans.read(tmp_path) == [longer, B]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "is not JSON"),
        ("[]", "holds no JSON object"),
        ('{"format": 2, "runs": []}', "has format 2, not 1"),
        ('{"format": 1}', "is malformed"),
        ('{"format": 1, "runs": [{"id": "a"}]}', "is malformed"),
        (json.dumps({"format": 1, "runs": [vars(A) | {"steps": "100"}]}), "is malformed"),
        (json.dumps({"format": 1, "runs": [vars(A) | {"folder": None}]}), "is malformed"),
    ],
)
def test_a_plan_that_cannot_be_read_is_passed_over_and_said(tmp_path, content, said):
    plans.write(tmp_path, [A])
    (tmp_path / ".planned" / "0123456789abcdef.json").write_text(content)
    (tmp_path / ".planned" / ".half.json").write_text("{")  # being written
    heard: list[str] = []
    assert plans.read(tmp_path, heard.append) == [A]
    (line,) = heard
    assert said in line and "0123456789abcdef.json" in line and "passed over" in line


def test_jobs_come_back_as_they_were_written(tmp_path):
    assert jobs.read(tmp_path) == []
    later = replace(JOB, key="j", submitted_at="2026-11-02T12:00:00", executor="ray")
    jobs.write(tmp_path, later)
    jobs.write(tmp_path, JOB)
    assert jobs.read(tmp_path) == [JOB, later]
    failed = replace(JOB, state="failed", why="out of memory", tries=2)
    jobs.write(tmp_path, failed)
    assert jobs.read(tmp_path) == [failed, later]
    value = json.loads((tmp_path / ".jobs" / "k.json").read_text())
    assert value == {"format": 1, **vars(failed), "runs": ["a", "b"]}


@pytest.mark.parametrize(
    "changes",
    [{"format": 2}, {"runs": "ab"}, {"runs": [1]}, {"state": "lost"}, {"tries": "1"}, {"why": 1}],
)
def test_a_damaged_job_is_none(tmp_path, changes):
    jobs.write(tmp_path, JOB)
    value = json.loads((tmp_path / ".jobs" / "k.json").read_text())
    (tmp_path / ".jobs" / "odd.json").write_text(json.dumps(value | {"key": "odd"} | changes))
    (tmp_path / ".jobs" / "torn.json").write_text('{"format": 1,')
    (tmp_path / ".jobs" / "few.json").write_text('{"format": 1, "runs": []}')
    assert jobs.read(tmp_path) == [JOB]
