"""Nothing is compiled twice: not in a sweep, nor by the next one."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from tests.sweeps.tiny import TINY, seqexp

SWEEP = ["sweep", *TINY, "trainer.steps=6", "study=a"]

# Counts what this process asks of the persistent cache, and what it finds there.
COUNTING = """
import sys
from collections import Counter
import jax
seen = Counter()
jax.monitoring.register_event_listener(lambda event, **_: seen.update([event.split("/")[-1]]))
from seqexp.commands.main import main
code = main(sys.argv[1:])
print("asked", seen["compile_requests_use_cache"], "found", seen["cache_hits"])
sys.exit(code)
"""


@pytest.mark.full
def test_each_program_of_a_group_is_compiled_once(tmp_path, compiled):
    """Two groups of three members, two evaluations, and the measurement of costs."""
    assert seqexp(*SWEEP, "model=rnn,gru", "seed=0,1,2", f"runs_dir={tmp_path}") == 0
    once = ("advance", "evaluate", "keep_best", "init_member", "prefill")
    programs = dict.fromkeys(once, 2) | {"step": 4}  # of one sequence, and of many
    for program, groups in programs.items():
        assert compiled[f"jit({program})"] == groups, program
    # All else is single operations on arrays, which groups and sweeps share.
    compiled.clear()
    assert seqexp(*SWEEP, "model=rnn,gru", "seed=3,4,5,6,7", f"runs_dir={tmp_path}") == 0
    assert compiled == {f"jit({program})": groups for program, groups in programs.items()}


@pytest.mark.full
def test_the_next_process_finds_what_was_compiled(tmp_path):
    """All but the program that trains, whose compile time is measured each time."""
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("JAX_")},
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }

    def sweep(runs_dir: str) -> tuple[int, int]:
        command = [
            sys.executable,
            "-c",
            COUNTING,
            *SWEEP,
            "model=rnn",
            f"runs_dir={tmp_path / runs_dir}",
        ]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=900, check=True
        )
        # Lines of C++ logs: each program loaded on an Intel processor was two false alarms.
        assert not re.findall(r"^[EWIF]\d{4} \d\d:\d\d:.*", done.stderr, re.M), done.stderr
        asked, _, found = done.stdout.split("asked ")[1].split()
        return int(asked), int(found)

    asked, found = sweep("first")
    assert asked > 4 and found < asked / 2
    assert sweep("second") == (asked, asked)
