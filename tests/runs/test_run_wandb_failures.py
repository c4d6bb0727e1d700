"""A wandb that is not asked for, not there or broken: never a reason to stop."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from mirrored import OFFLINE, finish, log_steps, offline_runs_of, our_warnings, run_info

from seqexp.runs import store, wandb_session
from seqexp.runs.record import RunRecord, is_finished
from seqexp.runs.wandb_mirror import Mirror

pytestmark = pytest.mark.usefixtures("unknown_to_wandb")


def test_disabled_writes_and_imports_nothing(tmp_path: Path) -> None:
    program = (
        "import sys; sys.path.insert(0, sys.argv[2]);"
        "from pathlib import Path; from mirrored import finish, run_info, log_steps;"
        "from seqexp.runs.record import RunRecord; from seqexp.runs.wandb_mirror import Mirror;"
        "record = RunRecord.create(Path(sys.argv[1]), run_info(0), {}, Mirror('disabled', 'p'));"
        "log_steps(record, 1, 3); record.log_samples(3, ['a']); finish(record);"
        "sys.exit('wandb' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path), str(Path(__file__).parent)]
    )
    assert done.returncode == 0
    (directory,) = (tmp_path / "study").iterdir()
    assert is_finished(directory) and not (directory / "wandb").exists()


def test_online_without_a_key_is_offline_with_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    records = [
        RunRecord.create(tmp_path, run_info(seed), {}, Mirror("online", "p")) for seed in (0, 1)
    ]
    for record in records:
        log_steps(record, 1, 3)
        finish(record)
        (folder,) = offline_runs_of(record)
        assert folder.name.startswith("offline-run-")
    (warning,) = our_warnings(caplog)
    assert "no API key" in warning and "\n" not in warning


def test_online_without_a_server_waits_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "0123456789" * 4)
    monkeypatch.setattr(wandb_session, "INIT_TIMEOUT", 2.0)
    init, tried = wandb_session._init, []

    def counted(directory, mode, what):
        tried.append(mode)
        return init(directory, mode, what)

    monkeypatch.setattr(wandb_session, "_init", counted)
    mirror = Mirror("online", "p")
    records = [RunRecord.create(tmp_path, run_info(seed), {}, mirror) for seed in range(3)]
    assert tried == ["online", "offline", "offline", "offline"]
    for record in records:
        log_steps(record, 1, 3)
        finish(record)
        (folder,) = offline_runs_of(record)
        assert folder.name.startswith("offline-run-")
    (warning,) = our_warnings(caplog)
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

    first = RunRecord.create(tmp_path, run_info(0), {}, OFFLINE)
    monkeypatch.setattr(wandb, "login", lambda **settings: True)
    monkeypatch.setattr(wandb, "init", lost)
    second = RunRecord.create(tmp_path, run_info(1), {}, Mirror("online", "p"))
    for record in (first, second):
        log_steps(record, 1, 3)
        finish(record)
    # Had the first one been torn down, its log would have failed with a warning of its own.
    assert our_warnings(caplog) == ["wandb stays offline (no answer); send runs with `wandb sync`"]


def test_wandb_that_does_not_start_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    import wandb

    def broken(**settings: Any) -> None:
        raise ValueError("first line\nsecond line")

    monkeypatch.setattr(wandb, "init", broken)
    record = RunRecord.create(tmp_path, run_info(0), {}, OFFLINE)
    log_steps(record, 1, 3)
    finish(record)
    assert is_finished(record.directory)
    assert len(store.read(record.directory / "metrics.jsonl")) == 3
    assert our_warnings(caplog) == ["wandb failed (first line); lstm-adding-seed0 is not mirrored"]


def test_wandb_that_breaks_later_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    import wandb

    records = [RunRecord.create(tmp_path, run_info(seed), {}, OFFLINE) for seed in (0, 1)]
    log_steps(records[0], 1, 2)

    def broken(*arguments: Any, **settings: Any) -> None:
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(wandb.Run, "log", broken)
        log_steps(records[0], 3, 6)
    for record in records:
        log_steps(record, 7, 8)
        finish(record)
        assert is_finished(record.directory)
    assert len(store.read(records[0].directory / "metrics.jsonl")) == 8
    assert our_warnings(caplog) == [
        "wandb failed (no space left on device); this run is no longer mirrored"
    ]
