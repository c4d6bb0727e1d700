"""The studies' modules, which are scripts beside each other and no packages."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

EXPERIMENTS = Path(__file__).parents[2] / "experiments"


@pytest.fixture
def scripts(monkeypatch) -> Callable[[str], Callable[[str], ModuleType]]:
    """Of a study's name, what imports its modules; another's may be called the same."""

    def of(study: str) -> Callable[[str], ModuleType]:
        folder = EXPERIMENTS / study
        monkeypatch.syspath_prepend(str(folder))
        for path in folder.glob("*.py"):
            sys.modules.pop(path.stem, None)
        return importlib.import_module

    return of
