"""Sweeps small enough for tests, through the command line as a user would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from seqexp.commands.main import main
from seqexp.runs.identity import NOT_RESULT

TINY = [
    "task=digits",
    "model.features=3",
    "trainer.steps=9",
    "trainer.eval_every=3",
    "trainer.batch_size=4",
    "logger.mode=disabled",
]


# Started from a background job it would inherit that Control-C is ignored.
PROGRAM = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from seqexp.commands.main import main
sys.exit(main())
"""


def seqexp(*arguments: str) -> int:
    """Run a command in this process; its exit code."""
    return main(list(arguments))


class Started(subprocess.Popen[str]):
    """A command whose output goes to a file: a full pipe that nobody reads would hold it up."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        with tempfile.NamedTemporaryFile(prefix="seqexp-said-", delete=False) as output:
            self._said = Path(output.name)
            super().__init__(
                command, env=environment, stdout=output, stderr=subprocess.STDOUT, text=True
            )

    def communicate(
        self, input: str | None = None, timeout: float | None = None
    ) -> tuple[str, str]:
        """Wait for its end: what it said on stdout and stderr, and nothing."""
        self.wait(timeout)
        said = self._said.read_text()
        self._said.unlink()
        return said, ""


def start(*arguments: str, **variables: str) -> Started:
    """Start a command in a process of its own, with cores exposed as it does by itself.

    Args:
        arguments: of the command.
        variables: of its environment, beside those of this process.
    """
    kept = [f for f in os.environ.get("XLA_FLAGS", "").split() if "device_count" not in f]
    environment = {**os.environ, "XLA_FLAGS": " ".join(kept), **variables}
    return Started([sys.executable, "-c", PROGRAM, *arguments], environment)


def runs(study: Path) -> dict[str, dict[str, Any]]:
    """Every run.json of a study, by run id."""
    return {path.parent.name: json.loads(path.read_text()) for path in study.glob("*/run.json")}


def deterministic(study: Path) -> dict[str, bytes]:
    """What a repetition must reproduce bitwise: metrics, results, weights, samples.

    A run's name tells what varies in its sweep, so alone it has another one.
    """
    files = {}
    for run_id, run in runs(study).items():
        for name in ("metrics.jsonl", "weights.msgpack", "samples.jsonl"):
            if (study / run_id / name).exists():
                files[f"{run_id}/{name}"] = (study / run_id / name).read_bytes()
        run["config"] = {k: v for k, v in run["config"].items() if k not in NOT_RESULT}
        files[f"{run_id}/run.json"] = json.dumps({**run, "name": None}).encode()
    return files
