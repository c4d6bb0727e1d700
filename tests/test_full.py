"""Tests that are moved to the exhaustive matrix by name are there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.full import LONG

HERE = Path(__file__).parent


@pytest.mark.parametrize("name", LONG)
def test_a_name_is_the_beginning_of_a_test_of_its_file(name):
    file, _, test = name.partition("::")
    assert f"\ndef {test or 'test_'}" in (HERE / file).read_text()


def test_no_name_is_of_a_file_that_is_moved_as_a_whole():
    files = {name for name in LONG if "::" not in name}
    assert not [name for name in LONG if "::" in name and name.partition("::")[0] in files]
