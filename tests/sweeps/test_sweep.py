"""A sweep from the command line: records, skipping, grouping, reruns, failures."""

from __future__ import annotations

import json
import sys

import pytest

from seqexp.runs import checkpoint
from seqexp.runs.store import read, read_json, write_json_atomic
from seqexp.sweeps import group_run, random_costs
from seqexp.training import Program
from seqexp.training.compiled import drop_programs
from tests.sweeps.tiny import TINY, deterministic, runs, seqexp


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """Two models, two seeds and two learning rates: two groups of four."""
    folder = tmp_path_factory.mktemp("runs")
    code = seqexp(
        "sweep",
        *TINY,
        "model=rnn,gru",
        "seed=0,1",
        "optimizer.learning_rate=1e-3,1e-2",
        f"runs_dir={folder}",
        "study=a",
    )
    assert code == 0
    return folder / "a"


def test_every_point_is_a_finished_run_with_all_its_records(swept):
    found = runs(swept)
    assert len(found) == 8
    for name, run in found.items():
        folder = swept / name
        assert run["status"] == "finished"
        metrics = read(folder / "metrics.jsonl")
        assert [record["step"] for record in metrics] == [3, 6, 9]
        best = max(metrics, key=lambda record: record["valid/accuracy"])
        assert run["score"]["valid"] == best["valid/accuracy"]
        assert run["score"]["step"] == best["step"]
        assert 0 <= run["score"]["test"] <= 1
        assert {"train/loss", "train/grad_norm", "train/update_norm", "train/parameter_norm"} <= (
            metrics[0].keys()
        )
        cost = read_json(folder / "cost.json")
        assert cost is not None
        assert cost["step_seconds"] > 0 and cost["compile_seconds"] > 0
        assert cost["training_flops_per_token"] > 2 * cost["inference_flops_per_token"]
        manifest = read_json(folder / "manifest.json")
        assert manifest is not None and manifest["device_kind"] == "cpu"
        assert checkpoint.read(folder / "weights.msgpack").step == best["step"]
        assert len(read(folder / "timing.jsonl")) == 3


def test_the_count_of_parameters_is_the_closed_form(swept):
    """GRU, reset after: 3 (D H + H^2 + H) + H; RNN: D H + H^2 + H; readout: 10 (H + 1)."""
    D, H = 1, 3
    expected = {"gru": 3 * (D * H + H * H + H) + H, "rnn": D * H + H * H + H}
    for name, run in runs(swept).items():
        cost = read_json(swept / name / "cost.json")
        assert cost is not None
        assert cost["parameters"] == expected[run["model"]] + 10 * (H + 1)
        assert cost["carry_bytes"] == 4 * H


def test_points_of_a_group_differ_only_in_what_is_traced(swept):
    by_seed = {
        (r["model"], r["seed"], r["config"]["optimizer"]["learning_rate"]): r["group"]
        for r in runs(swept).values()
    }
    assert len(by_seed) == 8
    assert len(set(by_seed.values())) == 4, "the group of a run is its config without the seed"


@pytest.mark.full
def test_peak_memory_is_measured_when_asked_for_and_is_no_part_of_a_result(tmp_path, monkeypatch):
    asked = []

    def peak(point, length):
        asked.append((point.model, length))
        return 12_345

    monkeypatch.setattr(random_costs, "peak_resident_at", peak)
    sweep = ["sweep", *TINY, "model=rnn", "seed=0,1", f"runs_dir={tmp_path}"]
    assert seqexp(*sweep, "study=a", "peak_memory=true") == 0
    assert asked == [("rnn", 64)]  # once a group, at the length of the digits
    costs = [read_json(path) or {} for path in (tmp_path / "a").glob("*/cost.json")]
    assert [cost["peak_resident_bytes"] for cost in costs] == [12_345] * 2
    assert seqexp(*sweep, "study=b") == 0
    assert runs(tmp_path / "a").keys() == runs(tmp_path / "b").keys()
    assert asked == [("rnn", 64)]


def test_hydra_leaves_nothing_of_its_own(swept):
    """Its file would hold the command line, secrets and all, readable for everybody."""
    assert {path.name for path in swept.parent.iterdir()} == {"a"}


def test_a_report_is_made(swept):
    assert (swept / "report" / "index.html").exists()
    assert (swept / "report" / "results.csv").read_text().count("\n") == 9


def test_what_is_finished_is_skipped_and_the_rest_added(swept, capsys):
    before = {path: path.stat().st_mtime_ns for path in swept.glob("*/run.json")}
    code = seqexp(
        "sweep",
        *TINY,
        "model=rnn",
        "seed=0,1,2",
        f"runs_dir={swept.parent}",
        "study=a",
        "optimizer.learning_rate=1e-3",
    )
    assert code == 0
    after = {path: path.stat().st_mtime_ns for path in swept.glob("*/run.json")}
    assert len(after) == 9
    assert all(after[path] == time for path, time in before.items())
    assert "1 finished, 2 skipped" in capsys.readouterr().err


@pytest.mark.usefixtures("free")
def test_a_member_is_the_same_in_another_group(swept, tmp_path):
    """Law 4 through the command line: seed 1 alone is bitwise seed 1 of the sweep."""
    code = seqexp(
        "run",
        *TINY,
        "model=gru",
        "seed=1",
        "optimizer.learning_rate=1e-2",
        f"runs_dir={tmp_path}",
        "study=a",
    )
    assert code == 0
    alone = deterministic(tmp_path / "a")
    together = deterministic(swept)
    assert len(alone) == 3
    for name, content in alone.items():
        assert together[name] == content, name


def test_a_run_made_by_other_code_is_named_and_runs_again_when_asked(swept, capsys):
    name, _ = next(
        (n, r)
        for n, r in runs(swept).items()
        if r["model"] == "rnn"
        and r["seed"] == 0
        and r["config"]["optimizer"]["learning_rate"] == 1e-3
    )
    path = swept / name / "manifest.json"
    manifest = json.loads(path.read_text())
    write_json_atomic(path, {**manifest, "source": "0123456789abcdef"})
    arguments = [
        "run",
        *TINY,
        "model=rnn",
        "seed=0",
        "optimizer.learning_rate=1e-3",
        f"runs_dir={swept.parent}",
        "study=a",
    ]
    before = deterministic(swept)
    assert seqexp(*arguments) == 0
    assert "made by other code" in capsys.readouterr().err
    assert json.loads(path.read_text())["source"] == "0123456789abcdef"
    assert seqexp(*arguments, "rerun=stale") == 0
    assert json.loads(path.read_text())["source"] == manifest["source"]
    assert deterministic(swept) == before


@pytest.mark.usefixtures("free")
def test_a_diverging_member_is_a_result_and_changes_no_other(swept, tmp_path, capsys):
    code = seqexp(
        "sweep",
        *TINY,
        "model=gru",
        "seed=1",
        "optimizer.clip_norm=1.0,null",
        "optimizer.learning_rate=1e-2,1e38",
        f"runs_dir={tmp_path}",
        "study=a",
    )
    assert code == 0
    by_status = [(r["status"], r["diverged_step"]) for r in runs(tmp_path / "a").values()]
    assert sorted(s for s, _ in by_status) == ["diverged"] * 2 + ["finished"] * 2
    assert all((step is not None) == (status == "diverged") for status, step in by_status)
    together = deterministic(swept)
    same = [n for n, content in deterministic(tmp_path / "a").items() if together.get(n) == content]
    assert len(same) == 3, "the healthy member with the sweep's own settings is bitwise its run"
    capsys.readouterr()


@pytest.mark.full
def test_the_time_of_a_step_is_not_that_of_a_member_that_diverged(tmp_path):
    """The first member blows up at once; the loop that is timed must still take its steps."""
    rates = {}
    for name, values in (("alone", "1e-3"), ("beside", "1e38,1e-3")):
        code = seqexp(
            "sweep",
            *TINY,
            "model=gru",
            "trainer.batch_size=64",
            "optimizer.clip_norm=null",
            f"optimizer.learning_rate={values}",
            f"runs_dir={tmp_path}",
            f"study={name}",
        )
        assert code == 0
        costs = [read_json(path) for path in (tmp_path / name).glob("*/cost.json")]
        rates[name] = max(cost["tokens_per_second"] for cost in costs if cost)
    assert rates["beside"] < 5 * rates["alone"], "an empty loop would be far faster"


@pytest.mark.usefixtures("free")
def test_what_other_code_left_unfinished_starts_anew(swept, tmp_path):
    """A checkpoint is only resumed by the code that wrote it."""
    import shutil

    shutil.copytree(swept, tmp_path / "a")
    name, run = next((n, r) for n, r in runs(tmp_path / "a").items() if r["model"] == "gru")
    folder = tmp_path / "a" / name
    write_json_atomic(folder / "run.json", {**run, "status": "running"})
    manifest = json.loads((folder / "manifest.json").read_text())
    write_json_atomic(folder / "manifest.json", {**manifest, "source": "0123456789abcdef"})
    rate = run["config"]["optimizer"]["learning_rate"]
    assert (
        seqexp(
            "run",
            *TINY,
            "model=gru",
            f"seed={run['seed']}",
            f"runs_dir={tmp_path}",
            "study=a",
            f"optimizer.learning_rate={rate}",
        )
        == 0
    )
    assert "resumed" not in json.loads((folder / "manifest.json").read_text())
    assert deterministic(tmp_path / "a") == deterministic(swept)


@pytest.mark.full
@pytest.mark.usefixtures("free")
def test_the_programs_of_a_group_are_dropped_once_they_are_many(tmp_path, monkeypatch):
    """A sweep of a hundred groups would else die; its members are the same."""
    arguments = ["sweep", *TINY, "model=gru,rnn", "study=a"]
    assert seqexp(*arguments, f"runs_dir={tmp_path}/kept") == 0
    calls = []
    execution = sys.modules["seqexp.sweeps.execute"]
    monkeypatch.setattr(execution, "drop_programs", lambda: calls.append(drop_programs(0)))
    assert seqexp(*arguments, f"runs_dir={tmp_path}/dropped") == 0
    assert len(calls) == 2
    assert deterministic(tmp_path / "kept" / "a") == deterministic(tmp_path / "dropped" / "a")


@pytest.mark.usefixtures("free")
def test_a_failure_in_one_group_leaves_the_others(tmp_path, monkeypatch, capsys):
    """The second group's training breaks half way; the first is finished, and the exit code 1."""

    healthy = group_run.train

    def breaking(program, states, standings):
        for chunk in healthy(program, states, standings):
            yield chunk
            if program.experiment.model.keywords["cell"].func.__name__ == "GRU":
                raise MemoryError("out of memory\nsecond line")

    monkeypatch.setattr(group_run, "train", breaking)
    arguments = ["sweep", *TINY, "model=gru,rnn", f"runs_dir={tmp_path}", "study=a"]
    assert seqexp(*arguments) == 1
    said = capsys.readouterr().err
    assert "1 finished, 1 failed" in said and "MemoryError: out of memory" in said
    by_model = {run["model"]: run for run in runs(tmp_path / "a").values()}
    assert by_model["rnn"]["status"] == "finished"
    assert by_model["gru"]["status"] == "failed"
    assert by_model["gru"]["error"] == "MemoryError: out of memory"

    monkeypatch.setattr(group_run, "train", healthy)
    assert seqexp(*arguments) == 0, "a failed run goes on when started again"
    assert "1 finished, 1 skipped" in capsys.readouterr().err
    assert {run["status"] for run in runs(tmp_path / "a").values()} == {"finished"}


@pytest.mark.usefixtures("free")
def test_diverged_is_said_of_training_alone(tmp_path, monkeypatch, capsys):
    """Validation that is never finite is another failure, and told as one."""
    evaluate = Program.evaluate

    def blind(program, params, active, split):
        found = evaluate(program, params, active, split)
        return {
            m: each._replace(metrics=dict.fromkeys(each.metrics, float("nan")))
            for m, each in found.items()
        }

    monkeypatch.setattr(Program, "evaluate", blind)
    assert seqexp("run", *TINY, "model=gru", f"runs_dir={tmp_path}", "study=a") == 1
    [run] = runs(tmp_path / "a").values()
    assert (run["status"], run["diverged_step"]) == ("failed", None)
    assert run["error"] == "no validation accuracy was finite, although the training loss was"
    assert run["error"] in capsys.readouterr().out


def test_a_finished_run_tells_how_many_targets_its_test_score_is_of(swept):
    for run in runs(swept).values():
        assert run["test_targets"] == {"loss": 180.0, "accuracy": 180.0}
