"""Control-C is heard wherever it comes."""

from __future__ import annotations

import signal
import time

import pytest

from seqexp.commands.interrupts import heard


@pytest.fixture(autouse=True)
def _by_default():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


class Finalized:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)


def test_an_interrupt_in_a_finalizer_comes_again_behind_it():
    """Python ignores what a finalizer raises."""
    reached = False
    with pytest.raises(KeyboardInterrupt), heard():
        one = Finalized()
        del one
        reached = True
        time.sleep(5)
    assert reached


def test_an_interrupt_elsewhere_comes_at_once():
    with pytest.raises(KeyboardInterrupt), heard():
        signal.raise_signal(signal.SIGINT)
        raise AssertionError
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_what_is_ignored_stays_ignored():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with heard():
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
