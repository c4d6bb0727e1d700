"""Tests through the command line that look neither at times nor at pictures spend none on them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from seqexp.analysis import canvas
from seqexp.costs import CostLedger, measure
from seqexp.sweeps import group_run

TIMES = {
    "REPEATS": 1,
    "FEW_REPEATS": 1,
    "SECONDS_A_REPEAT": 0.0,
    "DECODE_STEPS": 1,
    "INFERENCE_SECONDS": 0.0,
}


@pytest.fixture(scope="package", autouse=True)
def hasty() -> Iterator[None]:
    """Times are taken once, figures have nothing in them."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in TIMES.items():
            patch.setattr(measure, name, value)
        patch.setattr(
            canvas, "svg", lambda figure, name: '<svg xmlns="http://www.w3.org/2000/svg"/>'
        )
        patch.setattr(canvas, "pdf", lambda figure: b"%PDF-1.4")
        yield


FREE = CostLedger(parameters=0, compile_seconds=0.0)


@contextmanager
def no_costs() -> Iterator[None]:
    """No cost is measured, which takes most of the time of a small run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(group_run, "measure_costs", lambda program, *_: (program, FREE))
        yield


@pytest.fixture
def free() -> Iterator[None]:
    """See `no_costs`."""
    with no_costs():
        yield
