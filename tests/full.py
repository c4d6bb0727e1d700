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
    "japanese_vowels": ["italy_power_demand", "labelled_series"],
    "mackey_glass": ["etth1", "lorenz", "series"],
    "digits": ["permuted_mnist", "sequential_mnist"],
    "adding": ["adding_longer"],
    "copy_memory": ["copy_memory_longer"],
    "selective_copy": ["associative_recall", "delayed_recall", "n_back", "temporal_order"],
    "dyck_2": ["cycle_navigation", "dyck_1", "list_ops", "modular_arithmetic", "parity"],
    "spoken_digits": ["audio", "digit_strings"],
}
"""The task of a family that the quick tests try, and those that only the exhaustive matrix does."""


KINDS = ("digit_strings", "parity", "series", "ud_ewt")
"""Besides, tasks whose data comes or is judged in a way that no representative has."""


def one_of_each_kind(names: Iterable[str]) -> list[str]:
    """Tasks of the menu that differ in how their data comes or is judged: what costs a minute to
    try of each task is tried of them."""
    others = {name for family in REPRESENTED.values() for name in family} - set(KINDS)
    return [name for name in names if name not in others]


def tasks(names: Iterable[str]) -> list[Any]:
    """Tasks of the menu as parameters."""
    others = {name for family in REPRESENTED.values() for name in family}
    return [full(name) if name in others else name for name in names]
