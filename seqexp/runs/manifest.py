"""The manifest: which code, on what, was told to do what, when."""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from seqexp.cores import usable_cores
from seqexp.runs.redaction import redact_arguments

PACKAGES = (
    *("jax", "jaxlib", "flax", "optax", "numpy", "scipy", "scikit-learn"),
    *("hydra-core", "omegaconf", "wandb"),
)

TRAINED_BY = (
    "compiling.py",
    "cores.py",
    "errors.py",
    "parameters.py",
    "types.py",
    "recurrences",
    "cells",
    "layers",
    "models",
    "data",
    "tasks",
    "training",
)
"""The parts of the package that say what training computes: all that `training` and what a config
names may import. What runs it, measures it, writes it down and reports it is not of them."""

_SOURCE = Path(__file__).resolve().parents[1]


def manifest(
    device_kind: str, data_hashes: Mapping[str, str], packages: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Everything beside the config that a result may depend on.

    Args:
        device_kind: of the device that computes, such as "cpu" or "NVIDIA H100".
        data_hashes: sha256 of every data file, by name.
        packages: versions of what the user's own code is installed from, or imports.

    Returns:
        {"git": {"revision", "dirty"} (nulls where the package does not stand in a git checkout),
        "version" and "source" (the hash of the files that train) of seqexp itself, "packages"
        (versions, null where one is not installed), "python", "platform", "cpu": {"model",
        "cores", "usable"}, "device_kind", "xla_flags", "data_hashes", "command" (without secrets),
        "started_at" (UTC)}
    """
    return {
        "git": _git(),
        "version": _version("seqexp"),
        "source": source_hash(),
        "packages": versions(PACKAGES) | dict(packages or {}),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": {"model": _cpu_model(), "cores": os.cpu_count(), "usable": usable_cores()},
        "device_kind": device_kind,
        "xla_flags": os.environ.get("XLA_FLAGS", ""),
        "data_hashes": dict(data_hashes),
        "command": redact_arguments(sys.argv),
        "started_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


@dataclass(frozen=True)
class Machine:
    """What times depend on; None for what a manifest doesn't tell.

    Attributes:
        cpu: the model of the processor.
        usable: its cores that the process may use.
        device_kind: that trains.
    """

    cpu: str | None
    usable: int | None
    device_kind: str | None


def machine_of(manifest: Mapping[str, Any]) -> Machine | None:
    """The machine of a manifest; None where it tells nothing of it."""
    cpu = manifest.get("cpu")
    cpu = cpu if isinstance(cpu, dict) else {}
    found = Machine(cpu.get("model"), cpu.get("usable"), manifest.get("device_kind"))
    return None if found == Machine(None, None, None) else found


# Once a process: what counts is the code as it was imported, not what an editor does to it later.
@functools.cache
def source_hash() -> str:
    """The 16 hex digits that name the code that trains: over the files of `TRAINED_BY`, by path."""
    return hash_sources(_SOURCE, TRAINED_BY)


def hash_sources(folder: Path, parts: Sequence[str]) -> str:
    """sha256 over the paths and contents of Python files, cut to 16 hex digits.

    Args:
        folder: of a package.
        parts: files and folders in it.
    """
    digest = hashlib.sha256()
    files: list[Path] = []
    for part in parts:
        whole = folder / part
        files += whole.rglob("*.py") if whole.is_dir() else [whole]
    for path in sorted(files):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(folder).as_posix()}\n{len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()[:16]


@functools.cache
def _git() -> dict[str, Any]:
    return git_state(_SOURCE)


def git_state(folder: Path) -> dict[str, Any]:
    """The revision of the checkout that a folder belongs to, and whether anything differs from it.

    Both are None without git, and where the folder merely lies inside somebody's checkout (an
    installed package in a virtual environment) without being tracked by it.
    """
    tracked = _run_git(folder, "ls-files", "--error-unmatch", "__init__.py")
    revision = _run_git(folder, "rev-parse", "HEAD")
    if tracked is None or revision is None:
        return {"revision": None, "dirty": None}
    return {"revision": revision, "dirty": bool(_run_git(folder, "status", "--porcelain"))}


def _run_git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=30
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def versions(packages: Sequence[str]) -> dict[str, str | None]:
    """The version of each installed package; None for one that is not."""
    return {name: _version(name) for name in packages}


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    for line in lines:
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
