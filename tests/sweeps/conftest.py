"""What the tests of sweeps share."""

from __future__ import annotations

import pytest

from seqexp.sweeps import costing


@pytest.fixture
def hasty(monkeypatch):
    """Times that nobody looks at are taken once."""
    for name, value in {"REPEATS": 1, "SECONDS_A_REPEAT": 0.0, "DECODE_STEPS": 1}.items():
        monkeypatch.setattr(costing, name, value)
