"""Every example in a docstring of the package gives what it shows."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted(
    str(path.relative_to(ROOT)).removesuffix(".py").replace("/", ".")
    for path in (ROOT / "seqexp").rglob("*.py")
    if ">>>" in path.read_text()
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_give_what_they_show(name):
    failed, tried = doctest.testmod(importlib.import_module(name))
    assert tried, "this module shows examples where doctest does not look"
    assert not failed, "what was expected and what came instead is printed above"
