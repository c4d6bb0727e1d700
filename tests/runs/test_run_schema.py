"""What stands in a run.json is written and read by one schema, and what it lacks is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from seqexp.runs import store
from seqexp.runs.record import RunInfo, RunRecord, read_run
from seqexp.runs.schema import FORMAT, Malformed, Run, Scored
from seqexp.runs.wandb_mirror import Mirror
from seqexp.types import Score, SeqexpError

WHOLE = Run(
    id="0123456789abcdef",
    study="study",
    name="lstm adding seed 0",
    model="lstm",
    task="adding",
    seed=0,
    group="fedcba9876543210",
    status="finished",
    config={"seed": 0, "model": {"units": 8}},
    match={"by": "params", "budget": 70_000},
    choices={"optimizer": "adam", "cell_dropout": None},
    score=Scored("mse", "min", 3, 0.25, 0.26),
    valid={"mse": 0.25, "loss": None},
    test={"mse": 0.26},
    baselines={"always 1": 0.167},
    test_targets={"mse": 32.0},
    held_out={"length 4x": {"mse": 0.5}},
)
KEYS = """format id study name model task seed group status config match choices score valid test
baselines diverged_step error test_targets held_out""".split()


def _written() -> dict[str, Any]:
    return json.loads(store.dumps(WHOLE.to_json()))


def test_what_is_written_is_read() -> None:
    assert list(_written()) == KEYS
    assert Run.from_json(_written()) == WHOLE


def test_what_came_later_is_not_written_where_there_is_none_and_may_be_missing() -> None:
    value = {k: v for k, v in _written().items() if k not in ("test_targets", "held_out")}
    run = Run.from_json(value)
    assert (run.test_targets, run.held_out) == (None, {})
    assert list(run.to_json()) == list(value)


def test_a_record_may_tell_no_more_than_whose_it_is_and_how_it_ended() -> None:
    keys = ("format", "id", "model", "task", "seed", "group")
    run = Run.from_json({key: _written()[key] for key in keys} | {"status": "failed"})
    assert (run.name, run.study, run.config, run.score) == (run.id, "", {}, None)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"format": 2}, f"format 2 is not {FORMAT}, the one known here"),
        ({"group": ""}, "group is missing"),
        ({"seed": "0"}, "seed is missing"),
        ({"status": None}, "status None is unknown"),
        ({"test": [0.26]}, "test is malformed"),
        ({"held_out": {"length 4x": 0.5}}, "held_out is malformed"),
        ({"held_out": None}, "held_out is malformed"),
        ({"baselines": {"chance": None}}, "a baseline is not a number"),
        ({"score": 0.26}, "score is malformed"),
        ({"score": None}, "it finished without a validation score that is a number"),
        (
            {"score": {"name": "mse", "goal": "less", "valid": 0.25}},
            "it finished without a validation score that is a number",
        ),
    ],
)
def test_what_is_missing_or_malformed_is_named(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(Malformed) as error:
        Run.from_json(_written() | changes)
    assert str(error.value) == said


def test_further_splits_are_recorded_beside_test(tmp_path: Path) -> None:
    info = RunInfo("id", "study", "name", "lstm", "adding", 0, "group", {}, Score("mse", "min"), {})
    record = RunRecord.create(tmp_path, info, {}, Mirror("disabled", "seqexp"))
    longer = {"length 4x": {"mse": float("nan"), "accuracy": 0.5}}
    record.finish(3, {"mse": 0.25}, {"mse": 0.26}, {"mse": 32.0}, longer)
    value = json.loads((record.directory / "run.json").read_text())
    assert value["nonfinite"] == ["held_out/length 4x/mse"]
    run = read_run(record.directory)
    assert run is not None and run.test_targets == {"mse": 32.0}
    assert run.held_out == {"length 4x": {"mse": None, "accuracy": 0.5}}


def test_a_damaged_record_is_one_line_that_names_the_file(tmp_path: Path) -> None:
    assert read_run(tmp_path) is None
    store.write_json_atomic(tmp_path / "run.json", _written() | {"seed": None})
    with pytest.raises(SeqexpError, match=r"run\.json is damaged \(seed is missing\); delete it"):
        read_run(tmp_path)
