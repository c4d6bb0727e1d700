"""n-back against its description."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from seqexp.tasks import NBack
from seqexp.tasks.synthetic import drawn
from seqexp.types import SeqexpError

SIZES = {"valid_examples": 1, "test_examples": 1, "longest": 2, "longer_examples": 1}


@pytest.mark.parametrize("back", [1, 3, 6])
@pytest.mark.parametrize("multiple", [1, 2])
def test_the_target_is_whether_the_symbol_came_before(back, multiple):
    task = NBack(length=7, back=back, kinds=4, **SIZES)
    batch = drawn(task, jax.random.key(0), 60, multiple)
    inputs, targets = np.asarray(batch.inputs.values), np.asarray(batch.targets)
    assert inputs.shape == (60, 7 * multiple)
    same = inputs[:, back:] == inputs[:, :-back]
    np.testing.assert_array_equal(targets[:, back:], same)
    asked = np.asarray(task.asked(batch))
    assert asked[:, back:].all() and not asked[:, :back].any()


def test_half_are_the_same_and_the_others_uniform():
    task = NBack(length=9, back=2, kinds=4, **SIZES)
    batch = drawn(task, jax.random.key(1), 2000, 1)
    inputs, targets = np.asarray(batch.inputs.values), np.asarray(batch.targets)[:, 2:]
    # Of 14,000 with a standard deviation of 59; of some 2,333 with one of 44.
    assert abs(targets.sum() - 7000) < 250 and task.baselines == {"chance": 0.5}
    shifts = (inputs[:, 2:] - inputs[:, :-2]) % 4
    assert abs(np.bincount(shifts[targets == 0], minlength=4)[1:] - 2333).max() < 190
    assert abs(np.bincount(inputs[:, :2].ravel(), minlength=4) - 1000).max() < 120


@pytest.mark.parametrize("change", [{"back": 0}, {"length": 2}, {"kinds": 1}, {"kinds": 27}])
def test_impossible_sizes_are_refused(change):
    (name,) = change
    with pytest.raises(SeqexpError, match=f"NBack: {name} must be"):
        NBack(**{"length": 7, "back": 2, "kinds": 4, **SIZES, **change})
