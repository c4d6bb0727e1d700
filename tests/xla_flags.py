"""XLA flags that this JAX knows: an unknown one ends the process, and pytest says nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

STARTED = "import jax; jax.devices('cpu'); print('started')"


def refused(flags: Sequence[str], cache: Path) -> dict[str, str]:
    """The flags with which JAX doesn't start, each with what it says; tried once a jaxlib."""
    folder = cache / f"xla_flags-{metadata.version('jaxlib')}"
    return {flag: why for flag in flags if (why := _tried(flag, folder))}


def _tried(flag: str, folder: Path) -> str:
    answer = folder / flag.strip("-").replace("/", "_")[:200]
    if answer.exists():
        return answer.read_text()
    environment = {**os.environ, "XLA_FLAGS": flag, "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-c", STARTED]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    lines = done.stderr.strip().splitlines()
    why = "" if "started" in done.stdout else lines[-1] if lines else f"exit {done.returncode}"
    folder.mkdir(parents=True, exist_ok=True)
    partial = answer.with_name(f"{answer.name}.{os.getpid()}")
    partial.write_text(why)
    partial.replace(answer)
    return why
