"""Tests through the command line that look neither at times nor at pictures spend none on them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from seqexp.analysis import canvas
from seqexp.sweeps import costing

TIMES = {
    "REPEATS": 1,
    "SECONDS_A_REPEAT": 0.0,
    "DECODE_STEPS": 1,
    "PREFILL_SECONDS": 0.0,
}


@pytest.fixture(scope="package", autouse=True)
def hasty() -> Iterator[None]:
    """Times are taken once, figures have nothing in them."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in TIMES.items():
            patch.setattr(costing, name, value)
        patch.setattr(
            canvas, "svg", lambda figure, name: '<svg xmlns="http://www.w3.org/2000/svg"/>'
        )
        patch.setattr(canvas, "pdf", lambda figure: b"%PDF-1.4")
        yield
