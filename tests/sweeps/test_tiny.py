"""A command that the tests start can say as much as it likes."""

from __future__ import annotations

import sys

from tests.sweeps.tiny import Started


def test_a_child_that_says_more_than_a_pipe_holds_ends():
    """It waited for ever, where nobody read what XLA said on an Intel processor."""
    child = Started([sys.executable, "-c", "print('x' * 200_000)"], {})
    assert child.wait(timeout=900) == 0
    assert child.communicate() == ("x" * 200_000 + "\n", "")
