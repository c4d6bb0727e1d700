"""The manifest: which code, on what, was told to do what."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from importlib import metadata
from pathlib import Path

import pytest

from seqexp.runs.manifest import PACKAGES, git_state, hash_sources, manifest, source_hash


def test_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XLA_FLAGS", "--xla_force_host_platform_device_count=2")
    monkeypatch.setattr(sys, "argv", ["seqexp", "sweep", "model=lstm", "api_key=abc"])
    found = manifest("cpu", {"train.csv": "ab"})
    assert found["packages"]["jax"] == metadata.version("jax")
    assert tuple(found["packages"]) == PACKAGES
    assert found["python"].split(".")[:2] == [str(part) for part in sys.version_info[:2]]
    assert found["device_kind"] == "cpu"
    assert found["data_hashes"] == {"train.csv": "ab"}
    assert found["xla_flags"] == "--xla_force_host_platform_device_count=2"
    assert found["command"] == ["seqexp", "sweep", "model=lstm", "api_key=[redacted]"]
    assert found["cpu"]["model"] and found["cpu"]["cores"] >= found["cpu"]["usable"] >= 1
    assert found["source"] == source_hash() and len(found["source"]) == 16
    assert set(found["git"]) == {"revision", "dirty"}
    age = datetime.now(UTC) - datetime.fromisoformat(found["started_at"])
    assert timedelta(0) <= age < timedelta(minutes=1)
    assert json.loads(json.dumps(found)) == found


def test_without_flags_and_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.delenv("XLA_FLAGS", raising=False)
    monkeypatch.setattr(metadata, "version", absent)
    found = manifest("cpu", {})
    assert found["xla_flags"] == ""
    assert set(found["packages"].values()) == {None} and found["version"] is None


def test_the_source_hash_sees_every_change_of_what_trains(tmp_path: Path) -> None:
    def hashed() -> str:
        return hash_sources(tmp_path, ("types.py", "cells"))

    for part in ("cells", "analysis"):
        (tmp_path / part).mkdir()
    (tmp_path / "types.py").write_text("x = 1\n")
    (tmp_path / "cells" / "b.py").write_text("y = 2\n")
    (tmp_path / "analysis" / "wording.py").write_text("z = 3\n")
    seen = {hashed()}
    (tmp_path / "cells" / "notes.md").write_text("no code")
    (tmp_path / "analysis" / "wording.py").write_text("z = 4\n")
    (tmp_path / "analysis" / "new.py").write_text("x = 1\n")
    assert hashed() in seen, "neither notes nor the report change what was trained"

    (tmp_path / "cells" / "b.py").write_text("y = 3\n")
    seen.add(hashed())
    (tmp_path / "cells" / "b.py").rename(tmp_path / "cells" / "c.py")
    seen.add(hashed())
    (tmp_path / "types.py").write_text("")
    seen.add(hashed())
    (tmp_path / "cells" / "d.py").write_text("x = 1\n")
    seen.add(hashed())
    assert len(seen) == 5


def _git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(
        ["git", "-C", str(folder), *who, *arguments], check=True, capture_output=True, timeout=900
    )


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_git_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    nothing = {"revision": None, "dirty": None}
    package = tmp_path / "repository" / "package"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    assert git_state(package) == nothing

    _git(package.parent, "init")
    assert git_state(package) == nothing
    _git(package.parent, "add", ".")
    _git(package.parent, "commit", "-m", "first")
    clean = git_state(package)
    assert clean["dirty"] is False and len(clean["revision"]) == 40
    (package / "new.py").write_text("x = 1\n")
    assert git_state(package) == {**clean, "dirty": True}

    inside = package.parent / "venv" / "package"
    inside.mkdir(parents=True)
    (inside / "__init__.py").write_text("")
    assert git_state(inside) == nothing


def test_without_git(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_state(tmp_path) == {"revision": None, "dirty": None}
