"""The wandb mirror: the same numbers as the record."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mirrored import COST, OFFLINE, finish, log_steps, offline_runs_of, our_warnings, run_info
from offline_wandb import described, history, inspect, summary
from PIL import Image

from seqexp.costs.ledger import CostLedger
from seqexp.runs import store
from seqexp.runs.record import RunRecord
from seqexp.runs.wandb_mirror import Mirror

pytestmark = pytest.mark.usefixtures("unknown_to_wandb")


def test_offline_runs_hold_what_the_records_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two at once: neither mixes with the other, and nothing secret is in either."""
    monkeypatch.setenv("WANDB_TAGS", "nightly,gpu")
    records = [RunRecord.create(tmp_path, run_info(seed), {}, OFFLINE) for seed in (0, 1)]
    for record in records:
        record.write_cost(COST)
    for step in range(1, 6):
        for record in records:
            log_steps(record, step, step)
    shown = {"roll": np.eye(3)}, {"song.mid": b"MThd"}, {"roll": "low keys below"}
    records[1].log_samples(5, ["the cat", "the dog"], *shown)
    for record in records:
        finish(record)

    for seed, record in enumerate(records):
        (folder,) = offline_runs_of(record)
        log = inspect(folder)
        rows, ended = history(log), summary(log)
        assert [row["step"] for row in rows] == [1, 2, 3, 4, 5]
        assert [row["valid/loss"] for row in rows] == [2 / step + seed for step in range(1, 6)]
        assert rows[1]["train/loss"] == "NaN"
        last = store.read(record.directory / "metrics.jsonl")[-1]
        assert {name: rows[-1][name] for name in last} == last
        assert {name: ended[name] for name in last} == last
        assert rows[-1]["seconds"] == 2.5
        assert ("samples._type" in rows[-1]) == (seed == 1)
        assert (rows[-1].get("roll._type") == "image-file") == (seed == 1)
        assert rows[-1].get("roll.caption") == ("low keys below" if seed == 1 else None)

        assert ended["status"] == "finished"
        assert ended["score/valid"] == ended["best/loss"] == 0.25
        assert ended["score/test"] == ended["test/loss"] == 0.26
        assert ended["cost/flops/value"] == 12 and ended["cost/flops/how"] == "jaxpr"
        assert "cost/energy" not in ended

        run = described(log)
        assert run["run_id"] == record.run["id"] and run["project"] == "seqexp-test"
        assert run["display_name"] == f"lstm-adding-seed{seed}"
        assert run["run_group"] == "lstm-adding-fedcba98" and run["job_type"] == "train"
        assert run["tags"] == ["study", "lstm", "adding", "nightly", "gpu"]
        config = run["config"]["update"]
        assert config["seed"] == seed and config["optimizer"] == {"learning_rate": 1e-3}
        assert config["api_key"] == "[redacted]"
        assert config["run"]["group"] == record.run["group"]

    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert written and not any(b"s3cr3t-value" in content for content in written)
    assert [(path.name, path.read_bytes()) for path in tmp_path.rglob("files/files/*")] == [
        ("song-5.mid", b"MThd")
    ]
    (table,) = records[1].directory.rglob("media/table/*.json")
    assert json.loads(table.read_text())["data"] == [[5, "the cat"], [5, "the dog"]]
    home = Path(os.environ["WANDB_DATA_DIR"])
    assert not home.exists() or not [path for path in home.rglob("*") if path.is_file()]


def test_curves_can_be_drawn_over_steps_examples_flops_and_seconds(tmp_path: Path) -> None:
    record = RunRecord.create(tmp_path, run_info(0), {}, OFFLINE)
    record.write_cost(COST)
    log_steps(record, 1, 4)
    finish(record)
    log = inspect(offline_runs_of(record)[0])
    metrics = [entry["metric"] for entry in log if entry["type"] == "metric"]
    axes = ("step", "examples", "flops", "seconds")
    assert set(axes) <= {metric.get("name") for metric in metrics}
    globs = {
        metric["glob_name"]: metric["step_metric"] for metric in metrics if "glob_name" in metric
    }
    assert globs == {"train/*": "step", "valid/*": "step", "inspect/*": "step"}
    found = [[row[axis] for axis in axes] for row in history(log)]
    assert found == [[step, 32 * step, 5e9 * step, 0.5 * step] for step in range(1, 5)]


def test_inspections_are_mirrored_at_their_step_in_a_resumed_run_too(tmp_path: Path) -> None:
    record = RunRecord.create(tmp_path, run_info(0), {}, Mirror("disabled", "seqexp-test"))
    arrays = {
        "histogram/layer_1/forget": np.array([[0.25, 0.75], [0.75, 0.25], [0.0, 0.0]], np.float32),
        "bounds/layer_1/forget": np.array([0.0, 1.0], np.float32),
        "confusion": np.array([[3, 0], [1, 0]], np.int32),
    }
    picture, drawn = io.BytesIO(), []
    Image.new("RGB", (20, 10), "red").save(picture, "PNG")

    def draw(run: Path, step: int) -> dict[str, bytes]:
        assert run == record.directory
        drawn.append(step)
        return {"gradient-layer-1": picture.getvalue()}

    def go_on(record: RunRecord, steps: range) -> None:
        for step in steps:
            log_steps(record, step, step)
            half_life = 6 / (step - 1) if step > 1 else np.inf
            line = {"step": step, "level": "light", "half_life/layer_1": half_life}
            words = {"warnings": ["it is dead"] * (step == 2), "not_defined": {"memory": "no"}}
            record.log_inspection({**line, **words}, arrays, draw)

    go_on(record, range(1, 4))
    assert not drawn, "nothing is drawn where nothing is mirrored"
    resumed = RunRecord.open(record.directory, OFFLINE)
    resumed.resume_from(2, run_info(0), {})
    go_on(resumed, range(3, 4))
    finish(resumed)
    rows = history(inspect(offline_runs_of(resumed)[-1]))
    assert [row["step"] for row in rows] == [1, 2, 3]
    assert [row["inspect/half_life/layer_1"] for row in rows] == ["NaN", 6.0, 3.0]
    assert rows[1]["valid/loss"] == 1.0
    assert rows[1]["inspect/histogram/layer_1/forget._type"] == "histogram"
    assert drawn == [3], "of those before, which are mirrored anew, there are no figures"
    folder = offline_runs_of(resumed)[-1] / "files"
    with Image.open(folder / rows[2]["inspect/figure/gradient-layer-1.path"]) as image:
        assert image.size == (20, 10)

    def table(row: dict[str, Any], name: str) -> tuple[list[str], list[Any]]:
        content = json.loads((folder / row[f"inspect/{name}.path"]).read_text())
        return content["columns"], content["data"]

    columns = ["step", "true class", "predicted class", "count"]
    assert table(rows[2], "confusion") == (columns, [[3, 0, 0, 3], [3, 1, 0, 1]])
    assert table(rows[1], "warnings") == (["step", "warning"], [[2, "it is dead"]])
    assert not any(name.startswith("inspect/warnings") for name in rows[0])
    assert table(rows[0], "not_defined")[1] == [[1, "memory", "no"]]


def test_a_figure_that_fails_costs_the_figures_alone(tmp_path: Path, caplog) -> None:
    def draw(run: Path, step: int) -> dict[str, bytes]:
        raise ValueError("no such axis")

    record = RunRecord.create(tmp_path, run_info(0), {}, OFFLINE)
    for step in (1, 2):
        line = {"step": step, "level": "light", "dead/layer_1": 0.5}
        record.log_inspection({**line, "warnings": [], "not_defined": {}}, {}, draw)
    finish(record)
    assert our_warnings(caplog) == 2 * ["no figures of inspections in wandb: no such axis"]
    rows = history(inspect(offline_runs_of(record)[0]))
    assert [row["inspect/dead/layer_1"] for row in rows] == [0.5, 0.5]


def test_every_figure_of_the_ledger_is_in_the_summary_with_its_method(tmp_path: Path) -> None:
    sizes: dict[str, Any] = {
        f.name: 1.5 + i
        for i, f in enumerate(fields(CostLedger))
        if f.name not in ("methods", "reasons")
    }
    sizes |= {"carry_bytes_by_layer": {"0.0": 1}, "training_flops_by_kind": {"products": 2}}
    sizes |= {"step_seconds_at_width": {"1": 0.5}, "step_joules": None}
    record = RunRecord.create(tmp_path, run_info(0), {}, OFFLINE)
    record.write_cost(CostLedger(**sizes).to_json())
    record.finish(3, {"loss": 0.25}, {"loss": 0.26})
    ended = summary(inspect(offline_runs_of(record)[0]))
    for name, size in sizes.items():
        assert ended[f"cost/methods/{name}"]
        if isinstance(size, dict):
            assert all(ended[f"cost/{name}/{part}"] == value for part, value in size.items())
        elif size is None:
            assert f"cost/{name}" not in ended
        else:
            assert ended[f"cost/{name}"] == size


def test_what_a_width_was_solved_for_stands_with_what_it_reached(tmp_path: Path) -> None:
    asked = {"by": "params", "budget": 70_000, "multiple": 4, "tolerance": 0.02}
    info = replace(
        run_info(0),
        config={"seed": 0, "match": asked},
        match={**asked, "width": 100, "reached": 70_123},
    )
    record = RunRecord.create(tmp_path, info, {}, OFFLINE)
    finish(record)
    config = described(inspect(offline_runs_of(record)[0]))["config"]["update"]
    assert config["match"] == {**asked, "width": 100, "reached": 70_123}


_TRAINING = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from mirrored import COST, OFFLINE, run_info, log_steps
from seqexp.runs.record import RunRecord

record = RunRecord.create(Path(sys.argv[1]), run_info(0), {}, OFFLINE)
record.write_cost(COST)
log_steps(record, 1, 30)
record.log_samples(10, ["text 10"])
print("logged", flush=True)
time.sleep(600)
"""


@pytest.mark.full
def test_a_killed_run_is_mirrored_again_as_a_whole(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _TRAINING, str(tmp_path), str(Path(__file__).parent)],
        stdout=subprocess.PIPE,
    ) as child:
        assert child.stdout and child.stdout.readline() == b"logged\n"
        child.send_signal(signal.SIGKILL)
    record = RunRecord.open(tmp_path / "study" / f"{0:016x}", OFFLINE)
    (stale,) = offline_runs_of(record)

    record.resume_from(20, run_info(0), {})
    log_steps(record, 21, 25)
    finish(record)
    (folder,) = offline_runs_of(record)
    rows = history(inspect(folder))
    assert [row["step"] for row in rows] == list(range(1, 26))
    assert [row["seconds"] for row in rows] == [0.5 * step for step in range(1, 26)]
    assert [row["flops"] for row in rows] == [5e9 * step for step in range(1, 26)]
    assert rows[1]["train/loss"] == "NaN" and rows[9]["samples.nrows"] == 1
    recorded = store.read(record.directory / "metrics.jsonl")
    assert [row["valid/loss"] for row in rows] == [line["valid/loss"] for line in recorded]


def test_a_run_that_failed_can_be_resumed_in_the_same_process(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    record = RunRecord.create(tmp_path, run_info(0), {}, OFFLINE)
    log_steps(record, 1, 3)
    record.fail("out of memory")
    log = inspect(offline_runs_of(record)[0])
    assert log[-1]["exit"] == {"exit_code": 1}
    assert (summary(log)["status"], summary(log)["error"]) == ("failed", "out of memory")
    again = RunRecord.open(record.directory, OFFLINE)
    again.resume_from(2, run_info(0), {})
    log_steps(again, 3, 4)
    finish(again)
    assert not our_warnings(caplog)
    assert len(offline_runs_of(again)) == 1


@pytest.mark.parametrize("comparison", [False, True])
def test_the_readme_says_where_wandb_sync_finds_what_is_offline(
    tmp_path, unknown_to_wandb, comparison
):
    """The patterns after `wandb sync` in the README, in a runs_dir of their own."""
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    patterns = ("*/wandb/offline-run-*", "wandb/offline-run-*")
    assert all(f"runs/<study>/{pattern}`" in readme for pattern in patterns)
    mirror = Mirror("offline", "project")
    directory = tmp_path / "study" if comparison else tmp_path / "study" / "0123456789abcdef"
    directory.mkdir(parents=True)
    mirror.open(directory, id="0123456789abcdef", name="a").finish()
    (found,) = (tmp_path / "study").glob(patterns[comparison])
    assert list(found.glob("*.wandb"))
