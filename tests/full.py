"""Parameters of tests that only the exhaustive matrix tries."""

from __future__ import annotations

from typing import Any

import pytest


def full(*values: Any, id: str | None = None) -> Any:
    """One parameter, of one value or of several."""
    return pytest.param(*values, marks=pytest.mark.full, id=id)
