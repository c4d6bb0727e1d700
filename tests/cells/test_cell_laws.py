"""Laws 1 to 3, for every cell, every option and every wrapper."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from tests.cells.cell_laws import RAGGED, halves_are_the_whole, reach, unroll_is_step
from tests.full import full
from tests.variants import bare_cells, cell_classes, is_first, quick, wrapped_cells

BARE = bare_cells()
QUICK = BARE | wrapped_cells(full=False)
EVERY = QUICK | wrapped_cells(full=True)
FEW = [name if is_first(name) or name not in BARE else full(name) for name in QUICK]


def assert_agrees(make, lengths, reverse, dtype: type = np.float64):
    assert unroll_is_step(jax.eval_shape(make), lengths, reverse, dtype) is None


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


@pytest.mark.parametrize("name", [n if n in BARE and is_first(n) else full(n) for n in QUICK])
def test_padded_sequences_are_each_alone_step_by_step(name):
    assert_agrees(QUICK[name], RAGGED, reverse=False)


@pytest.mark.parametrize("name", quick(BARE))
def test_padded_sequences_in_reverse_are_each_alone_step_by_step(name):
    assert_agrees(BARE[name], RAGGED, reverse=True)


@pytest.mark.parametrize("name", quick(BARE))
def test_unpadded_sequences_in_reverse_are_each_alone_step_by_step(name):
    assert_agrees(BARE[name], None, reverse=True)


@pytest.mark.parametrize("name", quick(cell_classes()))
def test_unpadded_sequences_are_each_alone_step_by_step_in_float32(name):
    assert_agrees(BARE[name], None, reverse=False, dtype=np.float32)


@pytest.mark.parametrize("name", FEW)
def test_an_output_depends_on_no_later_input(name):
    assert reach(jax.eval_shape(QUICK[name])) == [0, 1, 2]


@pytest.mark.parametrize("name", quick(BARE))
def test_in_reverse_an_output_depends_on_no_earlier_input(name):
    assert reach(jax.eval_shape(BARE[name]), True) == [2, 3, 4]


@pytest.mark.parametrize("name", quick(cell_classes()))
def test_two_halves_are_the_whole(name):
    assert halves_are_the_whole(jax.eval_shape(BARE[name])) is None


@pytest.mark.full
@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
@pytest.mark.parametrize("name", [n for n in EVERY if n not in BARE])
def test_every_wrapped_cell_is_each_alone_step_by_step(name, reverse):
    assert_agrees(EVERY[name], RAGGED, reverse)


@pytest.mark.full
@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
@pytest.mark.parametrize("name", [n for n in EVERY if n not in BARE and is_first(n.split("(")[1])])
def test_unpadded_sequences_in_wrapped_cells_are_each_alone_step_by_step(name, reverse):
    assert_agrees(EVERY[name], None, reverse)
