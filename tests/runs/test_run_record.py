"""The record of a run, through its whole life, and through its deaths."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from seqexp.runs import checkpoint, store
from seqexp.runs.record import RunInfo, RunRecord, is_finished, run_directory
from seqexp.runs.schema import FORMAT, WEIGHTS
from seqexp.runs.wandb_mirror import Mirror
from seqexp.types import Score, SeqexpError

DISABLED = Mirror("disabled", "seqexp")


def _info(**changes: Any) -> RunInfo:
    known: dict[str, Any] = {
        "id": "0123456789abcdef",
        "study": "study",
        "name": "lstm-adding-seed0",
        "model": "lstm",
        "task": "adding",
        "seed": 0,
        "group": "fedcba9876543210",
        "config": {"seed": 0, "optimizer": {"learning_rate": 1e-3}, "api_key": "abc"},
        "score": Score("loss", "min"),
        "baselines": {"always 1": 0.167},
        "match": {"by": "params", "budget": 70_000, "width": 132, "reached": 71_413},
        "choices": {"optimizer": "adam", "cell_dropout": None},
    }
    return RunInfo(**{**known, **changes})


def _log(record: RunRecord, first: int, last: int) -> None:
    for step in range(first, last + 1):
        record.log(
            {"step": step, "examples": 32 * step, "train/loss": 1 / step}, seconds=0.5 * step
        )


def _steps(record: RunRecord, name: str) -> list[int]:
    return [line["step"] for line in store.read(record.directory / name)]


def test_a_whole_life(tmp_path: Path) -> None:
    record = RunRecord.create(tmp_path, _info(), {"version": "0.1"}, DISABLED)
    assert record.directory == run_directory(tmp_path, "study", "0123456789abcdef")
    assert record.status == "running" and not record.is_finished
    assert not is_finished(record.directory)

    _log(record, 1, 4)
    roll = np.array([[0.0, 1, 0.5], [2, -1, math.nan]])
    files, legends = {"roll.mid": b"MThd"}, {"roll": "high keys above low ones"}
    record.log_samples(4, ["the cat", "the dog"], {"roll": roll}, files, legends)
    record.save_checkpoint(4, {"x": np.zeros(2)})
    record.save_weights(3, {"w": np.ones(2)})
    record.write_cost({"flops": {"value": 12, "how": "jaxpr"}, "energy": None})
    record.finish(3, {"loss": 0.25, "accuracy": 0.5}, {"loss": 0.26, "accuracy": 0.4})

    assert record.is_finished and is_finished(record.directory)
    assert sorted(os.listdir(record.directory)) == [
        "checkpoint.msgpack",
        "cost.json",
        "files",
        "manifest.json",
        "metrics.jsonl",
        "pictures",
        "run.json",
        "samples.jsonl",
        "timing.jsonl",
        "weights.msgpack",
    ]
    assert json.loads((record.directory / "run.json").read_text()) == {
        "format": FORMAT,
        "id": "0123456789abcdef",
        "study": "study",
        "name": "lstm-adding-seed0",
        "model": "lstm",
        "task": "adding",
        "seed": 0,
        "group": "fedcba9876543210",
        "status": "finished",
        "config": {"seed": 0, "optimizer": {"learning_rate": 1e-3}, "api_key": "[redacted]"},
        "match": {"by": "params", "budget": 70_000, "width": 132, "reached": 71_413},
        "choices": {"optimizer": "adam", "cell_dropout": None},
        "score": {"name": "loss", "goal": "min", "step": 3, "valid": 0.25, "test": 0.26},
        "valid": {"loss": 0.25, "accuracy": 0.5},
        "test": {"loss": 0.26, "accuracy": 0.4},
        "baselines": {"always 1": 0.167},
        "diverged_step": None,
        "error": None,
    }
    assert store.read(record.directory / "metrics.jsonl") == [
        {"step": step, "examples": 32 * step, "train/loss": 1 / step} for step in range(1, 5)
    ]
    assert store.read(record.directory / "timing.jsonl") == [
        {"step": step, "seconds": 0.5 * step} for step in range(1, 5)
    ]
    assert store.read(record.directory / "samples.jsonl") == [
        {
            "step": 4,
            "texts": ["the cat", "the dog"],
            "pictures": {"roll": "pictures/roll-4.png"},
            "legends": {"roll": "high keys above low ones"},
            "files": {"roll.mid": "files/roll-4.mid"},
        }
    ]
    assert (record.directory / "files" / "roll-4.mid").read_bytes() == b"MThd"
    with Image.open(record.directory / "pictures" / "roll-4.png") as picture:
        # Dark is 1; what is beyond is cut off, and what is no number is white.
        assert np.asarray(picture).tolist() == [[255, 0, 128], [0, 255, 255]]
    weights = checkpoint.read(record.directory / "weights.msgpack")
    assert (weights.run, weights.step) == (record.run["id"], 3)


def test_metrics_do_not_depend_on_time(tmp_path: Path) -> None:
    """Two runs that compute the same write the same bytes, however long they took."""
    contents = []
    for name, speed in (("a", 0.1), ("b", 7.0)):
        record = RunRecord.create(tmp_path / name, _info(), {}, DISABLED)
        for step in range(1, 5):
            record.log({"step": step, "train/loss": 1 / step}, seconds=step * speed)
        contents.append((record.directory / "metrics.jsonl").read_bytes())
    assert contents[0] == contents[1]


def test_a_diverged_run_is_done(tmp_path: Path) -> None:
    record = RunRecord.create(tmp_path, _info(), {}, DISABLED)
    record.log({"step": 7, "train/loss": math.nan}, seconds=1.0)
    record.diverge(7)
    assert is_finished(record.directory)
    run = store.read_json(record.directory / "run.json")
    assert run is not None and (run["status"], run["diverged_step"]) == ("diverged", 7)
    (line,) = store.read(record.directory / "metrics.jsonl")
    assert line == {"step": 7, "train/loss": None, "nonfinite": ["train/loss"]}


def test_a_failed_run_is_not_done(tmp_path: Path) -> None:
    record = RunRecord.create(tmp_path, _info(), {}, DISABLED)
    record.fail("out of memory")
    assert not is_finished(record.directory)
    reopened = RunRecord.open(record.directory, DISABLED)
    assert reopened.status == "failed" and reopened.run["error"] == "out of memory"


def test_half_a_folder_is_not_finished(tmp_path: Path) -> None:
    assert not is_finished(tmp_path / "absent")
    assert not is_finished(tmp_path)
    record = RunRecord.create(tmp_path, _info(), {}, DISABLED)
    record.finish(1, {"loss": 1.0}, {"loss": 1.0})
    path = record.directory / "run.json"
    whole = path.read_bytes()
    assert is_finished(record.directory)
    for end in range(len(whole) - 2):
        path.write_bytes(whole[:end])
        assert not is_finished(record.directory)
        if end % 50 == 0:
            with pytest.raises(SeqexpError, match=r"run\.json"):
                RunRecord.open(record.directory, DISABLED)
    for odd in (b"{}", b"null", b'{"status": null}', b'{"status": "Finished"}'):
        path.write_bytes(odd)
        assert not is_finished(record.directory)


def test_opening_what_is_not_there_or_not_ours(tmp_path: Path) -> None:
    with pytest.raises(SeqexpError, match="no run in"):
        RunRecord.open(tmp_path, DISABLED)
    store.write_json_atomic(tmp_path / "run.json", {"format": 99, "status": "finished"})
    with pytest.raises(SeqexpError, match=f"has format 99, this version reads {FORMAT}"):
        RunRecord.open(tmp_path, DISABLED)


def test_resuming_equals_never_having_stopped(tmp_path: Path) -> None:
    whole = RunRecord.create(tmp_path / "whole", _info(), {}, DISABLED)
    _log(whole, 1, 9)

    cut = RunRecord.create(tmp_path / "cut", _info(), {"source": "old"}, DISABLED)
    _log(cut, 1, 6)
    for step in (3, 6):
        cut.log_samples(step, [f"text {step}"])
    for name in ("metrics.jsonl", "timing.jsonl"):
        with open(cut.directory / name, "ab") as file:
            file.write(b'{"step": 7, "tra')

    resumed = RunRecord.open(cut.directory, DISABLED)
    resumed.resume_from(4, _info(), {"source": "new"})
    assert _steps(resumed, "metrics.jsonl") == _steps(resumed, "timing.jsonl") == [1, 2, 3, 4]
    assert _steps(resumed, "samples.jsonl") == [3]
    _log(resumed, 5, 9)
    for name in ("metrics.jsonl", "timing.jsonl"):
        assert (resumed.directory / name).read_bytes() == (whole.directory / name).read_bytes()
    assert store.read_json(resumed.directory / "manifest.json") == {
        "source": "old",
        "resumed": [{"step": 4, "source": "new"}],
    }


def test_resuming_a_failed_run_forgets_the_failure(tmp_path: Path) -> None:
    record = RunRecord.create(tmp_path, _info(), {}, DISABLED)
    record.fail("out of memory")
    again = RunRecord.open(record.directory, DISABLED)
    again.resume_from(0, _info(), {})
    run = store.read_json(record.directory / "run.json")
    assert run is not None and (run["status"], run["error"]) == ("running", None)


def test_creating_again_starts_anew(tmp_path: Path) -> None:
    record = RunRecord.create(tmp_path, _info(), {}, DISABLED)
    _log(record, 1, 3)
    record.save_checkpoint(3, {"x": np.zeros(1)})
    record.finish(3, {"loss": 1.0}, {"loss": 1.0})
    again = RunRecord.create(tmp_path, _info(), {}, DISABLED)
    assert again.status == "running" and not is_finished(again.directory)
    assert sorted(os.listdir(again.directory)) == ["manifest.json", "run.json"]


def test_a_resumed_run_says_what_the_plan_says(tmp_path: Path) -> None:
    record = RunRecord.create(tmp_path, _info(), {}, DISABLED)
    whole = (record.directory / "run.json").read_bytes()
    store.write_json_atomic(
        record.directory / "run.json",
        {**record.run, "name": "another", "config": {}, "score": {"name": "x"}, "extra": 1},
    )
    RunRecord.open(record.directory, DISABLED).resume_from(0, _info(), {})
    assert (record.directory / "run.json").read_bytes() == whole


def test_wandb_is_told_of_a_failure_on_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = RunRecord.create(tmp_path, _info(), {}, DISABLED)
    told = []
    monkeypatch.setattr(record, "_finish_mirror", lambda: told.append(record.status))

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store, "write_json_atomic", full)
    with pytest.raises(OSError):
        record.fail("no space")
    assert told == ["failed"]


@pytest.mark.parametrize("study", ["", "..", "a/b", "../elsewhere", ".hidden", "a\\b"])
def test_a_study_stays_in_its_place(tmp_path: Path, study: str) -> None:
    with pytest.raises(SeqexpError, match="no folder name"):
        RunRecord.create(tmp_path, _info(study=study), {}, DISABLED)
    assert os.listdir(tmp_path) == []


_TRAINING = """
import sys
from pathlib import Path
import numpy as np
from seqexp.runs import checkpoint
from seqexp.runs.record import RunInfo, RunRecord
from seqexp.runs.wandb_mirror import Mirror
from seqexp.types import Score

info = RunInfo("id", "study", "name", "lstm", "adding", 0, "group", {}, Score("loss", "min"), {})
record = RunRecord.create(Path(sys.argv[1]), info, {}, Mirror("disabled", "seqexp"))
for step in range(1, 1_000_000):
    record.log({"step": step, "train/loss": 1 / step, "text": "x" * 2000}, seconds=1.0 * step)
    record.save_weights(step, {"w": np.full(1000, step)})
    record.save_checkpoint(step, {"w": np.full(1000, step)})
    print(step, flush=True)
"""


def test_a_killed_training_leaves_a_record_to_resume(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _TRAINING, str(tmp_path)], stdout=subprocess.PIPE
    ) as child:
        assert child.stdout
        acknowledged = 0
        while acknowledged < 20:
            acknowledged = int(child.stdout.readline())
        child.send_signal(signal.SIGKILL)
        rest = child.stdout.read().split()
    acknowledged = int(rest[-1]) if rest else acknowledged

    directory = run_directory(tmp_path, "study", "id")
    assert not is_finished(directory)
    loaded = checkpoint.load(directory, "id")
    assert loaded is not None and loaded.step >= acknowledged
    assert (loaded.tree["w"] == loaded.step).all()
    weights = checkpoint.read(directory / WEIGHTS)
    assert weights.step >= loaded.step and (weights.tree["w"] == weights.step).all()
    record = RunRecord.open(directory, DISABLED)
    record.resume_from(loaded.step, _info(id="id"), {})
    expected = list(range(1, loaded.step + 1))
    assert _steps(record, "metrics.jsonl") == _steps(record, "timing.jsonl") == expected
