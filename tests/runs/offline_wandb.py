"""A wandb that knows nobody and reaches nobody, and what lies in the runs that it keeps."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from seqexp.runs import wandb_session

VARIABLES = ("WANDB_API_KEY", "WANDB_SILENT", "WANDB_ERROR_REPORTING", "WANDB_MODE", "WANDB_TAGS")


@contextmanager
def unknown_user(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A wandb that knows nothing of this user, and whose server can't be reached."""
    for name in VARIABLES:
        # Set before it is deleted, so that what the mirror sets is undone, too.
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    for name in ("WANDB_DIR", "WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR"):
        monkeypatch.setenv(name, str(home / name))
    monkeypatch.setenv("NETRC", str(home / "netrc"))
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setattr(wandb_session, "_offline_because", [])
    yield
    if "wandb" in sys.modules:
        sys.modules["wandb"].teardown()


def offline_runs(directory: Path) -> list[Path]:
    """The runs that wandb keeps in a folder."""
    return sorted((directory / "wandb").glob("*run-*"))


def inspect(folder: Path) -> list[dict[str, Any]]:
    """The log of an offline run, as wandb's own reader finds it."""
    command = [str(Path(sys.executable).parent / "wandb"), "leet", "inspect", "--json", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    if "No such command" in done.stderr:
        pytest.skip("this wandb has no `leet inspect` to read offline runs with")
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def history(log: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [record["history"]["item"] for record in log if record["type"] == "history"]


def summary(log: list[dict[str, Any]]) -> dict[str, Any]:
    updates = [record["summary"]["update"] for record in log if record["type"] == "summary"]
    return {name: value for update in updates for name, value in update.items()}


def described(log: list[dict[str, Any]]) -> dict[str, Any]:
    """Id, names, group, tags and config of a run."""
    [run] = [record["run"] for record in log if record["type"] == "run"]
    return run
