"""Records to tables: what is read, and what is named and left out."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from synthetic_records import cost, known_scores, score, write_json, write_run, write_study

from seqexp.analysis import load, report
from seqexp.commands.report import report_on
from seqexp.runs import jobs, plans
from seqexp.runs.plans import PlannedRun
from seqexp.types import SeqexpError


def test_runs_and_curves_are_tidy(tmp_path):
    scores = known_scores()
    study = load(write_study(tmp_path / "study", scores))
    assert study.name == "study" and study.problems == []
    assert len(study.runs) == study.runs["run"].nunique() == 18
    for row in study.runs.to_dict("records"):
        valid, test = scores[row["model"], row["task"]][row["seed"]]
        assert (row["valid"], row["test"], row["score_step"]) == (valid, test, 20)
        assert row["label"] == row["model"] and row["task_label"] == row["task"]
        assert row["parameters"] == cost(row["model"])["parameters"]
        assert np.isnan(row["decode_seconds_per_token"])
        assert row["config/model.units"] == 8
    curve = study.curves.loc[study.curves["run"] == "gru-adding-1"]
    assert curve.drop(columns="run").to_numpy().tolist() == [
        [10, 40, 400, 0.1, "valid/mse", 0.1],
        [20, 80, 800, 0.2, "valid/mse", 0.05],
    ]
    assert study.baselines("adding") == {"predict 1": 1 / 6}


def test_numbers_that_were_not_finite_are_nan(tmp_path):
    folder = write_run(tmp_path, "gru", "adding", 0)
    (folder / "metrics.jsonl").write_text(
        '{"step": 10, "train/loss": null, "nonfinite": ["train/loss"]}\n'
    )
    [value] = load(tmp_path).curves["value"]
    assert np.isnan(value)


@pytest.mark.parametrize(
    ("file", "text", "problem"),
    [
        ("run.json", '{"format": 1, "id": "a', "malformed; the run is left out"),
        ("run.json", "[]", "malformed; the run is left out"),
        ("run.json", '{"format": 2}', "format 2 is not 1, the one known here; the run is left out"),
        ("run.json", '{"format": 1}', "id is missing; the run is left out"),
        ("cost.json", "{", "malformed; the file is left out"),
        ("cost.json", '{"parameters": "many"}', "parameters is malformed; it is left out"),
        ("cost.json", '{"methods": 1}', "methods is malformed; it is left out"),
        ("manifest.json", "\x00", "malformed; the file is left out"),
        ("metrics.jsonl", '{"step": 1}\n{"step": 2', "the last line is torn; it is left out"),
        ("metrics.jsonl", '{"step": 1}\noops\n', "line 2 is malformed; it is left out"),
        ("timing.jsonl", '{"seconds": 1}\n', "line 1 is malformed; it is left out"),
        (
            "metrics.jsonl",
            '{"step": 1}\n{"step": 1}\n',
            "1 steps are written twice; the earlier lines are left out",
        ),
    ],
)
def test_what_can_not_be_read_is_named_and_left_out(tmp_path, file, text, problem):
    study = tmp_path / "study"
    write_run(study, "gru", "adding", 0)
    broken = write_run(study, "lstm", "adding", 0)
    (broken / file).write_text(text)
    found = load(study)
    assert found.problems == [(f"study/lstm-adding-0/{file}", problem)]
    assert ("lstm-adding-0" in set(found.runs["run"])) == (file != "run.json")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"status": "lost"}, "status 'lost' is unknown"),
        ({"config": []}, "config is malformed"),
        ({"score": 3}, "score is malformed"),
        (
            {"score": score("adding", None, 0.1)},
            "it finished without a validation score that is a number",
        ),
        ({"baselines": {"chance": "low"}}, "a baseline is not a number"),
    ],
)
def test_a_run_that_says_too_little_counts_as_a_seed_without_a_score(tmp_path, changes, problem):
    write_run(tmp_path / "study", "gru", "adding", 0)
    folder = write_run(tmp_path / "study", "lstm", "adding", 0)
    run = json.loads((folder / "run.json").read_text())
    write_json(folder / "run.json", run | changes)
    found = load(tmp_path / "study")
    [lost] = found.runs.loc[found.runs["run"] == "lstm-adding-0"].to_dict("records")
    assert (lost["status"], lost["error"]) == ("unreadable", f"unreadable record: {problem}")
    assert np.isnan(lost["test"]) and found.unread == 0
    fate = "its seed counts without a score"
    assert found.problems == [("study/lstm-adding-0/run.json", f"{problem}; {fate}")]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [({"seed": None}, "seed is missing"), ({"format": 2}, "format 2 is not 1, the one known here")],
)
def test_a_run_that_does_not_say_whose_seed_it_is_is_left_out(tmp_path, changes, problem):
    write_run(tmp_path / "study", "gru", "adding", 0)
    folder = write_run(tmp_path / "study", "lstm", "adding", 0)
    run = json.loads((folder / "run.json").read_text())
    write_json(folder / "run.json", run | changes)
    found = load(tmp_path / "study")
    assert list(found.runs["run"]) == ["gru-adding-0"] and found.unread == 1
    assert found.problems == [("study/lstm-adding-0/run.json", f"{problem}; the run is left out")]


def test_a_resumed_step_counts_once(tmp_path):
    folder = write_run(tmp_path, "gru", "adding", 0)
    (folder / "metrics.jsonl").write_text(
        '{"step": 1, "a": 1}\n{"step": 2, "a": 2}\n{"step": 1, "a": 3}\n'
    )
    assert load(tmp_path).curves[["step", "value"]].to_numpy().tolist() == [[1, 3], [2, 2]]


def test_a_run_without_its_run_json_is_named(tmp_path):
    folder = write_run(tmp_path / "study", "gru", "adding", 0)
    write_run(tmp_path / "study", "lstm", "adding", 0)
    (folder / "run.json").unlink()
    (tmp_path / "study" / "report").mkdir()  # is no run, and no problem either
    assert load(tmp_path / "study").problems == [
        ("study/gru-adding-0/run.json", "missing; the run is left out")
    ]


def test_two_studies_are_joined_and_what_is_double_is_named(tmp_path):
    write_run(tmp_path / "a", "gru", "adding", 0)
    write_run(tmp_path / "b", "gru", "adding", 0, score=score("adding", 0.0, 0.0))
    write_run(tmp_path / "b", "lstm", "adding", 0)
    study = load(tmp_path / "a", tmp_path / "b")
    assert study.name == "a + b"
    assert list(study.runs["study"]) == ["a", "b"] and list(study.runs["test"]) == [0.5, 0.5]
    assert study.problems == [
        (
            "b/gru-adding-0",
            "run gru-adding-0 was read from a/gru-adding-0 before; this one is left out",
        )
    ]


def test_runs_of_a_task_that_are_judged_by_different_metrics_are_not_mixed(tmp_path):
    write_run(tmp_path / "study", "gru", "adding", 0)
    write_run(tmp_path / "study", "lstm", "adding", 0, score=score("digits", 0.5, 0.5))
    study = load(tmp_path / "study")
    assert list(study.runs["model"]) == ["gru"] and list(study.files) == ["gru-adding-0"]
    assert study.problems == [
        (
            "study/lstm-adding-0",
            "judged by accuracy (max), its task by mse (min); the run is left out",
        )
    ]


def test_no_study_is_one_clear_line(tmp_path):
    (tmp_path / "empty").mkdir()
    broken = tmp_path / "broken" / "run"
    broken.mkdir(parents=True)
    write_json(broken / "run.json", {"format": 0})
    for studies, message in [
        ([], "no study given"),
        ([tmp_path / "missing"], "no study in .*missing: give a folder"),
        ([tmp_path / "empty"], "no runs in .*empty: give a folder"),
        ([tmp_path / "broken"], r"no runs in .*broken \(1 left out: format 0 is not 1"),
    ]:
        with pytest.raises(SeqexpError, match=message) as raised:
            load(*studies)
        assert "\n" not in str(raised.value)


def test_the_package_loads_studies_and_imports_nothing_for_it(tmp_path):
    write_run(tmp_path / "a", "gru", "adding", 0)
    write_run(tmp_path / "b", "lstm", "adding", 0)
    script = (
        "import sys, seqexp\n"
        "assert not {'pandas', 'jax', 'matplotlib'} & set(sys.modules)\n"
        "study = seqexp.load(sys.argv[1], sys.argv[2])\n"
        "print(*study.runs['model'], len(study.curves))"
    )
    folders = [str(tmp_path / name) for name in "ab"]
    done = subprocess.run(
        [sys.executable, "-c", script, *folders], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["gru", "lstm", "4"]


def test_a_finished_run_without_its_last_records_or_its_weights_is_named(tmp_path):
    for seed in range(3):
        config = {"seed": seed, "trainer": {"steps": 20}}
        folder = write_run(tmp_path / "study", "gru", "adding", seed, config=config)
        (folder / "weights.msgpack").touch()
    study = tmp_path / "study"
    assert load(study).problems == []
    (study / "gru-adding-0" / "weights.msgpack").unlink()
    lines = (study / "gru-adding-1" / "metrics.jsonl").read_text().splitlines(keepends=True)
    (study / "gru-adding-1" / "metrics.jsonl").write_text(lines[0])
    (study / "gru-adding-2" / "metrics.jsonl").unlink()
    found = load(study)
    assert sorted(found.problems) == [
        (
            "study/gru-adding-0/weights.msgpack",
            "missing; the scores count, but nothing can be predicted",
        ),
        (
            "study/gru-adding-1/metrics.jsonl",
            "ends at step 10 of 20; later records are missing",
        ),
        (
            "study/gru-adding-2/metrics.jsonl",
            "ends at step 0 of 20; later records are missing",
        ),
    ]
    assert list(found.runs["status"]) == ["finished"] * 3


def test_records_that_were_copied_without_weights_lack_nothing(tmp_path):
    write_run(tmp_path, "gru", "adding", 0)
    assert load(tmp_path).problems == []


def planned(study, *folders):
    """Plan runs, of which the ids are the names of their folders."""
    plans.write(study, [PlannedRun(name, name, f"{name}!", "a group", 20) for name in folders])


def test_planned_runs_without_a_record_are_told(tmp_path, capsys):
    study = tmp_path / "study"
    there = write_run(study, "gru", "adding", 0)
    planned(study, there.name, "lstm-adding-0", "rnn-adding-0")
    why = "killed by signal 9, 3 times"
    job = jobs.Job("k", "ray", "k-1", "7", "a group", ("rnn-adding-0",), "2026", 3, "failed", why)
    jobs.write(study, job)
    found = load(study)
    assert found.problems == [] and len(found.runs) == 1
    assert found.unrecorded == [
        ("study", "lstm-adding-0!", "no process began a record"),
        ("study", "rnn-adding-0!", f"its job failed: {why}"),
    ]
    assert report_on([study])
    said = capsys.readouterr().err
    assert (
        "planned, without a record: lstm-adding-0! (no process began a record), and 1 more" in said
    )
    page = (study / "report" / "index.html").read_text()
    assert "Beside these, 2 planned runs left no record" in page
    assert f"its job failed: {why}" in page


def test_a_planned_run_is_recorded_in_its_folder_or_under_its_id(tmp_path):
    """A record that can't be read is a problem of its own, and no run that was not begun."""
    study = tmp_path / "study"
    write_run(study, "gru", "adding", 0)
    write_run(study, "lstm", "adding", 0).rename(study / "elsewhere")
    broken = write_run(study, "rnn", "adding", 0)
    (broken / "run.json").write_text("{")
    planned(study, "gru-adding-0", "lstm-adding-0", "rnn-adding-0")
    found = load(study)
    assert found.unrecorded == []
    assert len(found.problems) == 1


@pytest.mark.parametrize(
    ("state", "why"),
    [("submitted", "its job (ray) was submitted"), ("ended", "its job (ray) ended")],
)
def test_what_is_known_of_a_job_is_told(tmp_path, state, why):
    study = tmp_path / "study"
    write_run(study, "gru", "adding", 0)
    planned(study, "rnn-adding-0")
    jobs.write(
        study, jobs.Job("k", "ray", "k-1", "7", "", ("rnn-adding-0",), "2026", 1, state, None)
    )
    assert load(study).unrecorded == [("study", "rnn-adding-0!", why)]


def test_where_no_planned_run_left_a_record_the_first_reason_is_told(tmp_path):
    study = tmp_path / "study"
    planned(study, "rnn-adding-0", "gru-adding-0")
    why = "JAX doesn't start"
    jobs.write(
        study, jobs.Job("k", "ray", "k-1", "7", "", ("rnn-adding-0",), "2026", 1, "failed", why)
    )
    told = f"of 2 planned none left a record \\(rnn-adding-0!: its job failed: {why}\\)"
    with pytest.raises(SeqexpError, match=told):
        load(study)


def test_a_folder_that_can_not_be_entered_is_a_problem_and_no_run_without_a_record(
    tmp_path, monkeypatch
):
    study = tmp_path / "study"
    write_run(study, "gru", "adding", 0)
    planned(study, "rnn-adding-0")
    closed = study / "rnn-adding-0"
    closed.mkdir()
    assert [run.name for run in load(study).unrecorded] == ["rnn-adding-0!"]
    # Root enters every folder.
    monkeypatch.setattr(os, "access", lambda folder, mode: folder != closed)
    found = load(study)
    assert found.unrecorded == [] and found.unread == 1


def test_many_planned_runs_are_counted(tmp_path):
    study = tmp_path / "study"
    write_run(study, "gru", "adding", 0)
    planned(study, *[f"lstm-adding-{seed}" for seed in range(104)])
    page = report(study).read_text()
    assert "104 planned runs left no record" in page
    assert page.count("no process began a record") == 100 and "And 4 more" in page
