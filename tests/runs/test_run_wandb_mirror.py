"""The wandb mirror: the same numbers as the record, and never a reason to stop."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from seqexp.runs import store, wandb_mirror
from seqexp.runs.record import RunInfo, RunRecord, is_finished
from seqexp.runs.wandb_mirror import Mirror
from seqexp.types import Score

OFFLINE = Mirror("offline", "seqexp-test", tags=("nightly",))


@pytest.fixture(autouse=True)
def _own_wandb(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """A wandb that knows nothing of this user, and whose server can't be reached."""
    home = tmp_path_factory.mktemp("wandb")
    for name in ("WANDB_API_KEY", "WANDB_SILENT", "WANDB_ERROR_REPORTING", "WANDB_MODE"):
        # Set before it is deleted, so that what the mirror sets is undone, too.
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    for name in ("WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR"):
        monkeypatch.setenv(name, str(home / name))
    monkeypatch.setenv("NETRC", str(home / "netrc"))
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setattr(wandb_mirror, "_offline_because", [])
    yield
    if "wandb" in sys.modules:
        sys.modules["wandb"].teardown()


def _info(seed: int) -> RunInfo:
    return RunInfo(
        id=f"{seed:016x}",
        study="study",
        name=f"lstm-adding-seed{seed}",
        model="lstm",
        task="adding",
        seed=seed,
        group="fedcba9876543210",
        config={"seed": seed, "optimizer": {"learning_rate": 1e-3}, "api_key": "s3cr3t-value"},
        score=Score("loss", "min"),
        baselines={},
    )


def _log(record: RunRecord, first: int, last: int) -> None:
    for step in range(first, last + 1):
        metrics: dict[str, Any] = {"step": step, "examples": 32 * step}
        metrics["train/loss"] = float("nan") if step == 2 else 1 / step + record.run["seed"]
        metrics["valid/loss"] = 2 / step + record.run["seed"]
        record.log(metrics, seconds=0.5 * step)


def _finish(record: RunRecord) -> None:
    record.write_cost({"flops": {"value": 12, "how": "jaxpr"}, "energy": None})
    record.finish(3, {"loss": 0.25}, {"loss": 0.26})


def _offline_runs(record: RunRecord) -> list[Path]:
    return sorted((record.directory / "wandb").glob("*run-*"))


def _inspect(folder: Path) -> list[dict[str, Any]]:
    """The log of an offline run, as wandb's own reader finds it."""
    command = [str(Path(sys.executable).parent / "wandb"), "leet", "inspect", "--json", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    if "No such command" in done.stderr:
        pytest.skip("this wandb has no `leet inspect` to read offline runs with")
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def _history(log: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [record["history"]["item"] for record in log if record["type"] == "history"]


def _summary(log: list[dict[str, Any]]) -> dict[str, Any]:
    updates = [record["summary"]["update"] for record in log if record["type"] == "summary"]
    return {name: value for update in updates for name, value in update.items()}


def test_offline_runs_hold_what_the_records_hold(tmp_path: Path) -> None:
    """Two at once: neither mixes with the other, and nothing secret is in either."""
    records = [RunRecord.create(tmp_path, _info(seed), {}, OFFLINE) for seed in (0, 1)]
    for step in range(1, 6):
        for record in records:
            _log(record, step, step)
    records[1].log_samples(5, ["the cat", "the dog"])
    for record in records:
        _finish(record)

    for seed, record in enumerate(records):
        (folder,) = _offline_runs(record)
        log = _inspect(folder)
        rows, summary = _history(log), _summary(log)
        assert [row["step"] for row in rows] == [1, 2, 3, 4, 5]
        assert [row["valid/loss"] for row in rows] == [2 / step + seed for step in range(1, 6)]
        assert rows[1]["train/loss"] == "NaN"
        last = store.read(record.directory / "metrics.jsonl")[-1]
        assert {name: rows[-1][name] for name in last} == last
        assert {name: summary[name] for name in last} == last
        assert rows[-1]["seconds"] == 2.5
        assert ("samples._type" in rows[-1]) == (seed == 1)

        assert summary["status"] == "finished"
        assert summary["score/valid"] == summary["best/loss"] == 0.25
        assert summary["score/test"] == summary["test/loss"] == 0.26
        assert summary["cost/flops/value"] == 12 and summary["cost/flops/how"] == "jaxpr"
        assert "cost/energy" not in summary

        (run,) = (entry["run"] for entry in log if entry["type"] == "run")
        assert run["run_id"] == record.run["id"] and run["project"] == "seqexp-test"
        assert run["display_name"] == f"lstm-adding-seed{seed}"
        assert run["run_group"] == "lstm-adding-fedcba98" and run["job_type"] == "train"
        assert run["tags"] == ["study", "lstm", "adding", "nightly"]
        config = run["config"]["update"]
        assert config["seed"] == seed and config["optimizer"] == {"learning_rate": 1e-3}
        assert config["api_key"] == "[redacted]"
        assert config["run"]["group"] == record.run["group"]

    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert written and not any(b"s3cr3t-value" in content for content in written)
    (table,) = records[1].directory.rglob("media/table/*.json")
    assert json.loads(table.read_text())["data"] == [[5, "the cat"], [5, "the dog"]]
    home = Path(os.environ["WANDB_DATA_DIR"])
    assert not home.exists() or not [path for path in home.rglob("*") if path.is_file()]


_TRAINING = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_run_wandb_mirror import OFFLINE, _info, _log
from seqexp.runs.record import RunRecord

record = RunRecord.create(Path(sys.argv[1]), _info(0), {}, OFFLINE)
_log(record, 1, 30)
record.log_samples(10, ["text 10"])
print("logged", flush=True)
time.sleep(600)
"""


def test_a_killed_run_is_mirrored_again_as_a_whole(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _TRAINING, str(tmp_path), str(Path(__file__).parent)],
        stdout=subprocess.PIPE,
    ) as child:
        assert child.stdout and child.stdout.readline() == b"logged\n"
        child.send_signal(signal.SIGKILL)
    record = RunRecord.open(tmp_path / "study" / f"{0:016x}", OFFLINE)
    (stale,) = _offline_runs(record)

    record.resume_from(20, {})
    _log(record, 21, 25)
    _finish(record)
    (folder,) = _offline_runs(record)
    rows = _history(_inspect(folder))
    assert [row["step"] for row in rows] == list(range(1, 26))
    assert [row["seconds"] for row in rows] == [0.5 * step for step in range(1, 26)]
    assert rows[1]["train/loss"] == "NaN" and rows[9]["samples.nrows"] == 1
    recorded = store.read(record.directory / "metrics.jsonl")
    assert [row["valid/loss"] for row in rows] == [line["valid/loss"] for line in recorded]


def test_a_run_that_failed_can_be_resumed_in_the_same_process(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    record = RunRecord.create(tmp_path, _info(0), {}, OFFLINE)
    _log(record, 1, 3)
    record.fail("out of memory")
    log = _inspect(_offline_runs(record)[0])
    assert log[-1]["exit"] == {"exit_code": 1}
    assert (_summary(log)["status"], _summary(log)["error"]) == ("failed", "out of memory")
    again = RunRecord.open(record.directory, OFFLINE)
    again.resume_from(2, {})
    _log(again, 3, 4)
    _finish(again)
    assert not _warnings(caplog)
    assert len(_offline_runs(again)) == 1


def test_disabled_writes_and_imports_nothing(tmp_path: Path) -> None:
    program = (
        "import sys; sys.path.insert(0, sys.argv[2]);"
        "from pathlib import Path; from test_run_wandb_mirror import _finish, _info, _log;"
        "from seqexp.runs.record import RunRecord; from seqexp.runs.wandb_mirror import Mirror;"
        "record = RunRecord.create(Path(sys.argv[1]), _info(0), {}, Mirror('disabled', 'p'));"
        "_log(record, 1, 3); record.log_samples(3, ['a']); _finish(record);"
        "sys.exit('wandb' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path), str(Path(__file__).parent)]
    )
    assert done.returncode == 0
    (directory,) = (tmp_path / "study").iterdir()
    assert is_finished(directory) and not (directory / "wandb").exists()


def _warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    ours = (record for record in caplog.records if record.name.startswith("seqexp"))
    return [record.getMessage() for record in ours if record.levelno >= logging.WARNING]


def test_online_without_a_key_is_offline_with_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    records = [
        RunRecord.create(tmp_path, _info(seed), {}, Mirror("online", "p")) for seed in (0, 1)
    ]
    for record in records:
        _log(record, 1, 3)
        _finish(record)
        (folder,) = _offline_runs(record)
        assert folder.name.startswith("offline-run-")
    (warning,) = _warnings(caplog)
    assert "no API key" in warning and "\n" not in warning


def test_online_without_a_server_waits_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "0123456789" * 4)
    monkeypatch.setattr(wandb_mirror, "INIT_TIMEOUT", 2.0)
    mirror = Mirror("online", "p")
    started = time.monotonic()
    records = [RunRecord.create(tmp_path, _info(0), {}, mirror)]
    first = time.monotonic() - started
    records += [RunRecord.create(tmp_path, _info(seed), {}, mirror) for seed in (1, 2)]
    assert time.monotonic() - started - first < 2.0 <= first
    for record in records:
        _log(record, 1, 3)
        _finish(record)
        (folder,) = _offline_runs(record)
        assert folder.name.startswith("offline-run-")
    (warning,) = _warnings(caplog)
    assert "stays offline" in warning and "\n" not in warning


def test_a_server_that_is_lost_ends_no_other_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    import wandb

    init = wandb.init

    def lost(**settings: Any) -> Any:
        if settings["mode"] == "online":
            raise TimeoutError("no answer")
        return init(**settings)

    first = RunRecord.create(tmp_path, _info(0), {}, OFFLINE)
    monkeypatch.setattr(wandb, "login", lambda **settings: True)
    monkeypatch.setattr(wandb, "init", lost)
    second = RunRecord.create(tmp_path, _info(1), {}, Mirror("online", "p"))
    for record in (first, second):
        _log(record, 1, 3)
        _finish(record)
    # Had the first one been torn down, its log would have failed with a warning of its own.
    assert _warnings(caplog) == ["wandb stays offline (no answer); send runs with `wandb sync`"]


def test_wandb_that_does_not_start_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    import wandb

    def broken(**settings: Any) -> None:
        raise ValueError("first line\nsecond line")

    monkeypatch.setattr(wandb, "init", broken)
    record = RunRecord.create(tmp_path, _info(0), {}, OFFLINE)
    _log(record, 1, 3)
    _finish(record)
    assert is_finished(record.directory)
    assert len(store.read(record.directory / "metrics.jsonl")) == 3
    assert _warnings(caplog) == ["wandb failed (first line); lstm-adding-seed0 is not mirrored"]


def test_wandb_that_breaks_later_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    import wandb

    records = [RunRecord.create(tmp_path, _info(seed), {}, OFFLINE) for seed in (0, 1)]
    _log(records[0], 1, 2)

    def broken(*arguments: Any, **settings: Any) -> None:
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(wandb.Run, "log", broken)
        _log(records[0], 3, 6)
    for record in records:
        _log(record, 7, 8)
        _finish(record)
        assert is_finished(record.directory)
    assert len(store.read(records[0].directory / "metrics.jsonl")) == 8
    assert _warnings(caplog) == [
        "wandb failed (no space left on device); this run is no longer mirrored"
    ]
