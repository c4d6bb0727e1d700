"""The modules of the speed study, which are scripts beside each other and no package."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(__file__).parents[2] / "experiments" / "speed"


@pytest.fixture
def study(monkeypatch) -> Callable[[str], ModuleType]:
    """Imports a module of the study."""
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module
