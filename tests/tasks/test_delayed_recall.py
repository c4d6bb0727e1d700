"""Delayed recall against its description."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from seqexp.tasks import DelayedRecall
from seqexp.tasks.synthetic import drawn
from seqexp.types import SeqexpError

SIZES = {"valid_examples": 1, "test_examples": 1, "longest": 2, "longer_examples": 1}
TASK = DelayedRecall(length=6, kinds=4, distractors=3, **SIZES)


@pytest.mark.parametrize("multiple", [1, 2])
def test_the_first_symbol_is_asked_behind_distractors(multiple):
    (inputs, lengths), targets, _ = drawn(TASK, jax.random.key(0), 2000, multiple)
    inputs, targets = np.asarray(inputs), np.asarray(targets)
    assert inputs.shape == (2000, 6 * multiple + 2) and set(np.asarray(lengths)) == {
        6 * multiple + 2
    }
    np.testing.assert_array_equal(inputs[:, 0], targets)
    assert np.unique(inputs[:, 1:-1]).tolist() == [4, 5, 6] and (inputs[:, -1] == 7).all()
    # 500 expected of each, with a standard deviation of 19.
    assert abs(np.bincount(targets, minlength=4) - 500).max() < 80
    assert TASK.baselines == {"chance": 1 / 4}


def test_tokens_are_written_as_letters():
    assert "".join(TASK.symbols) == "ABCDabc?" and "".join(TASK.answers) == "ABCD"


@pytest.mark.parametrize("change", [{"kinds": 1}, {"kinds": 27}, {"distractors": 0}])
def test_impossible_sizes_are_refused(change):
    with pytest.raises(SeqexpError, match="DelayedRecall: .*kinds|distractors"):
        DelayedRecall(**{"length": 6, "kinds": 4, "distractors": 3, **SIZES, **change})
