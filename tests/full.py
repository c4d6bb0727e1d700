"""Parameters of tests that only the exhaustive matrix tries."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def full(*values: Any, id: str | None = None) -> Any:
    """One parameter, of one value or of several."""
    return pytest.param(*values, marks=pytest.mark.full, id=id)


REPRESENTED = {
    "text": ["order", "shakespeare_words", "sst2", "ud_ewt"],
    "japanese_vowels": ["etth1", "italy_power_demand", "lorenz", "mackey_glass"],
    "digits": ["permuted_mnist", "sequential_mnist"],
    "selective_copy": ["associative_recall", "delayed_recall", "n_back", "temporal_order"],
    "dyck_2": ["cycle_navigation", "dyck_1", "list_ops", "modular_arithmetic", "parity"],
    "spoken_digits": ["digit_strings"],
}
"""The task of a family that the quick tests try, and those that only the exhaustive matrix does."""


OWN_FILES = ("audio", "labelled_series", "series")
"""Tasks of a user's own files, whose form the files decide: they have tests of their own. `text`
has files to be tried with, see tests/own_files.py."""


def tasks(names: Iterable[str]) -> list[Any]:
    """Tasks of the menu as parameters, but for those of `OWN_FILES`."""
    others = {name for family in REPRESENTED.values() for name in family}
    names = [name for name in names if name not in OWN_FILES]
    return [full(name) if name in others else name for name in names]
