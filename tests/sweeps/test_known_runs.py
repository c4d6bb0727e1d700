"""A record is found by what it is: made under an earlier rule, renamed, or asked for otherwise."""

from __future__ import annotations

import json
import shutil
import tarfile
from pathlib import Path

import pytest

from seqexp.commands.composition import points_of
from seqexp.commands.overrides import read
from seqexp.runs.identity import recorded_identity
from seqexp.runs.known import KnownRuns
from seqexp.runs.store import read_json, write_json_atomic
from seqexp.sweeps import execute, groups
from tests.sweeps.tiny import TINY, runs, seqexp
from tests.test_configs import point

pytestmark = pytest.mark.usefixtures("free")

ARCHIVE = Path(__file__).parents[2] / "experiments/budgets/results/records.tar.xz"
ASKED = {"seed": (0, 1), "learning_rate": (0.01,), "budget": (3_500,), "model": ("rnn", "lstm")}


@pytest.fixture
def earlier(tmp_path) -> Path:
    """Of the study of budgets, as it was recorded, the runs that `ASKED` says."""
    with tarfile.open(ARCHIVE) as tar:
        tar.extractall(tmp_path, filter="data")
    for folder in (path.parent for path in tmp_path.glob("budgets/*/run.json")):
        run = json.loads((folder / "run.json").read_text())
        rate = run["config"]["optimizer"]["learning_rate"]
        values = run | {"learning_rate": rate, "budget": run["match"]["budget"]}
        if any(values[key] not in wanted for key, wanted in ASKED.items()):
            shutil.rmtree(folder)
    return tmp_path / "budgets"


@pytest.mark.full
def test_the_records_of_an_earlier_release_are_skipped(earlier, monkeypatch, capsys):
    """Their names are hashes with nulls, and of options that have no effect; of an LSTM, also of an
    option that has another name by now."""
    # They were made without the flags by which the tests compile.
    monkeypatch.setattr(groups, "changed_settings", dict)
    named = set(runs(earlier))
    assert len(named) == 3 * 2 * 2
    now = {_identity(earlier / name) for name in named}
    assert named.isdisjoint(now), "today's rule names them otherwise"
    points = [
        point(
            "experiment=budgets",
            f"task={task}",
            f"model={model}",
            "match.budget=3500",
            "optimizer.learning_rate=1e-2",
            f"seed={seed}",
            "logger.mode=disabled",
            f"runs_dir={earlier.parent}",
        )
        for task in ("adding", "digits", "copy_memory")
        for model in ASKED["model"]
        for seed in ASKED["seed"]
    ]
    outcomes = execute(points)
    assert {outcome.status for outcome in outcomes} == {"skipped"}
    assert {outcome.directory.name for outcome in outcomes} == named
    assert all("made by other code" in outcome.detail for outcome in outcomes)
    assert "model.embed_features=16 has no effect on adding, digits" in capsys.readouterr().err
    assert set(runs(earlier)) == named


@pytest.mark.full
def test_all_records_of_an_earlier_release_are_skipped(tmp_path, monkeypatch):
    monkeypatch.setattr(groups, "changed_settings", dict)
    with tarfile.open(ARCHIVE) as tar:
        tar.extractall(tmp_path, filter="data")
    named = set(runs(tmp_path / "budgets"))
    where = ["logger.mode=disabled", f"runs_dir={tmp_path}"]
    outcomes = execute(points_of(read(["experiment=budgets", *where], "sweep")))
    assert len(named) == len(outcomes) == 450
    assert {outcome.status for outcome in outcomes} == {"skipped"}
    assert {outcome.directory.name for outcome in outcomes} == named


def _identity(folder: Path) -> str:
    recorded = recorded_identity(
        json.loads((folder / "run.json").read_text())["config"],
        json.loads((folder / "manifest.json").read_text()),
    )
    assert recorded is not None
    return recorded.run


@pytest.mark.full
def test_a_run_keeps_the_folder_that_it_is_found_in(tmp_path, capsys):
    """Skipped there, trained again there, and a copy of it is no second run."""
    asked = ["run", *TINY, "model=rnn", f"runs_dir={tmp_path}", "study=a"]
    assert seqexp(*asked) == 0
    ((name, run),) = runs(tmp_path / "a").items()
    (tmp_path / "a" / name).rename(tmp_path / "a" / "best")
    shutil.copytree(tmp_path / "a" / "best", tmp_path / "a" / "copy")
    shutil.copytree(tmp_path / "a" / "best", tmp_path / "a" / "torn")
    (tmp_path / "a" / "torn" / "run.json").write_text("{")
    capsys.readouterr()
    assert seqexp(*asked) == 0
    assert "1 skipped" in capsys.readouterr().err
    manifest = read_json(tmp_path / "a" / "best" / "manifest.json") or {}
    write_json_atomic(tmp_path / "a" / "best" / "manifest.json", {**manifest, "source": "other"})
    assert seqexp(*asked, "rerun=stale") == 0
    assert "1 finished" in capsys.readouterr().err
    again = read_json(tmp_path / "a" / "best" / "manifest.json") or {}
    assert again["source"] == manifest["source"]
    assert not (tmp_path / "a" / name).exists()
    assert json.loads((tmp_path / "a" / "best" / "run.json").read_text())["id"] == run["id"]


def test_of_several_records_of_a_run_the_finished_one_counts(tmp_path):
    config = {"model": {"_target_": "m"}, "task": {}, "trainer": {}, "seed": 0}
    for name, status, study in (("1", "running", "a"), ("2", "finished", "b")):
        (tmp_path / name).mkdir()
        run = {"id": name, "status": status, "config": {**config, "study": study, "new": None}}
        write_json_atomic(tmp_path / name / "run.json", run)
        write_json_atomic(
            tmp_path / name / "manifest.json", {"data_hashes": {}, "device_kind": "cpu"}
        )
    found = KnownRuns(tmp_path).like(config, lambda config: config)(_identity(tmp_path / "1"))
    assert found is not None and found.folder == "2"


def test_a_record_older_than_an_option_of_the_task_that_is_null_is_found(tmp_path):
    config = {"model": {"_target_": "m"}, "task": {"length": 5}, "trainer": {}, "seed": 0}
    (tmp_path / "1").mkdir()
    write_json_atomic(
        tmp_path / "1" / "run.json", {"id": "1", "status": "finished", "config": config}
    )
    write_json_atomic(tmp_path / "1" / "manifest.json", {"data_hashes": {}, "device_kind": "cpu"})
    asked = {**config, "task": {"length": 5, "longest": None}}
    found = KnownRuns(tmp_path).like(asked, lambda config: config)(_identity(tmp_path / "1"))
    assert found is not None and found.id == "1"


def test_a_record_that_does_not_tell_what_it_is_is_found_by_its_id(tmp_path, capsys):
    asked = ["run", *TINY, "model=rnn", f"runs_dir={tmp_path}", "study=a"]
    assert seqexp(*asked) == 0
    (name,) = runs(tmp_path / "a")
    (tmp_path / "a" / name / "manifest.json").write_text("{")
    capsys.readouterr()
    assert seqexp(*asked) == 0
    said = capsys.readouterr().err
    assert "1 skipped" in said and "its manifest.json is damaged" in " ".join(said.split())
