"""`--shapes` finds a wrong shape, in a worker of pytest-xdist too; nothing else would."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

MODULE = """
import jax.numpy as jnp
from seqexp.cells.initializers import initializer
from seqexp.recurrences import scan
from seqexp.types import SeqexpError
import pytest

def advance(carry, x, dropout):
    return carry, x

def run(mask_shape):
    xs, mask = jnp.zeros((3, 3, 2)), jnp.ones(mask_shape, bool)
    return scan.scan(advance, (), xs, mask, {}, False)

def test_right():
    run((3, 3))

def test_wrong():
    run((3, 1))

def test_impossible_option():
    with pytest.raises(SeqexpError):
        initializer("unknown")
"""
"""A mask `[T, 1]` broadcasts, so without a check nothing says that it is wrong."""


@pytest.mark.full
@pytest.mark.parametrize(
    ("flags", "outcome"),
    [
        ([], "3 passed"),
        (["--shapes", "-n", "1"], "1 failed, 2 passed"),
    ],
    ids=["unchecked", "checked in a worker"],
)
def test_a_wrong_shape_is_found(flags, outcome, tmp_path):
    (tmp_path / "test_scan.py").write_text(MODULE)
    # The option is this suite's: its conftest as a plugin, over a folder of its own.
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider"]
    command += [*flags, "--rootdir", str(tmp_path), "-c", "/dev/null", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert outcome in done.stdout, done.stdout + done.stderr
    if flags:
        assert "parameters of seqexp.recurrences.scan.scan" in done.stdout
        assert "mask" in done.stdout
