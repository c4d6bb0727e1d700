"""The peak resident set of a process of its own."""

from __future__ import annotations

import operator
import os
import signal
import subprocess
import sys

import pytest

from seqexp.costs import peak_resident_bytes
from seqexp.types import SeqexpError

MB = 2**20


def test_the_peak_is_what_the_work_takes_and_not_what_this_process_holds():
    held = b"x" * (1200 * MB)
    peak = peak_resident_bytes(operator.mul, b"x", 500 * MB)
    assert 500 * MB < peak < len(held)


def test_the_death_of_the_process_is_told():
    with pytest.raises(SeqexpError, match="process whose memory was to be measured died"):
        peak_resident_bytes(signal.raise_signal, signal.SIGKILL)


WAITING = """
import signal, time
from seqexp.costs import peak_resident_bytes

# Ignored where the tests were started in a shell's background.
signal.signal(signal.SIGINT, signal.default_int_handler)

def wait():
    print("now", flush=True)
    time.sleep(600)

if __name__ == "__main__":
    peak_resident_bytes(wait)
"""


def test_the_process_ends_with_its_parent_however_that_ends(tmp_path):
    (tmp_path / "waiting.py").write_text(WAITING)
    command = [sys.executable, str(tmp_path / "waiting.py")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None and parent.stdout.readline() == "now\n"
        parent.kill()
        # Ends when nobody holds its other end any more, the child neither.
        assert parent.communicate(timeout=900)[0] == ""


def test_what_the_work_raises_comes_through():
    with pytest.raises(TypeError):
        peak_resident_bytes(operator.mul, b"x", b"y")


@pytest.mark.full
def test_control_c_ends_the_measurement_and_the_process_at_once(tmp_path):
    """Whose own traceback must not be told: a terminal's Control-C goes to both."""
    (tmp_path / "waiting.py").write_text(WAITING)
    with subprocess.Popen(
        [sys.executable, str(tmp_path / "waiting.py")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as parent:
        assert parent.stdout is not None and parent.stdout.readline() == "now\n"
        os.killpg(parent.pid, signal.SIGINT)
        _, said = parent.communicate(timeout=900)
        assert said.count("Traceback") == 1 and said.endswith("KeyboardInterrupt\n")
