"""The peak resident set of a process of its own."""

from __future__ import annotations

import operator
import signal

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
