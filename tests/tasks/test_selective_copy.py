"""Selective copying against its description."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from seqexp.tasks import SelectiveCopy
from seqexp.tasks.synthetic import drawn
from seqexp.types import Prediction, SeqexpError

SIZES = {"valid_examples": 1, "test_examples": 1, "longest": 2, "longer_examples": 1}
TASK = SelectiveCopy(length=7, count=3, kinds=5, **SIZES)


@pytest.mark.parametrize("multiple", [1, 2])
def test_the_markers_ask_for_the_symbols_in_their_order(multiple):
    (inputs, lengths), targets, _ = drawn(TASK, jax.random.key(1), 50, multiple)
    L = 7 * multiple
    assert set(np.asarray(lengths)) == {L + 3} and inputs.shape == (50, L + 3)
    for read, due in zip(np.asarray(inputs), np.asarray(targets), strict=True):
        assert [token for token in read[:L] if token] == (due[L:] + 1).tolist()
        assert (read[L:] == 6).all() and 1 <= read[read[:L].nonzero()].min() <= read[:L].max() <= 5


def test_places_and_symbols_are_uniform():
    inputs = np.asarray(drawn(TASK, jax.random.key(2), 3500, 1).inputs.values)[:, :7]
    # 1,500 expected at each place, with a standard deviation of 29; 2,100 of each symbol, of 41.
    assert abs((inputs > 0).sum(0) - 1500).max() < 120
    assert abs(np.bincount(inputs.ravel())[1:] - 2100).max() < 170


def test_only_the_markers_count():
    batch = drawn(TASK, jax.random.key(3), 20, 1)
    asked = np.asarray(TASK.asked(batch))
    assert asked[:, 7:].all() and not asked[:, :7].any()
    right = np.eye(5, dtype=np.float32)[np.asarray(batch.targets)]
    right[:, :7] = np.nan
    total, weight = TASK.measure(Prediction(right, ()), batch)["accuracy"]  # type: ignore[arg-type]
    assert total == weight == 60


def test_guessing_is_at_chance():
    targets = np.asarray(drawn(TASK, jax.random.key(4), 2000, 1).targets)[:, 7:]
    assert TASK.baselines == {"chance": 1 / 5}
    assert abs(np.mean(targets == 2) - 1 / 5) < 0.02


@pytest.mark.parametrize("change", [{"length": 2}, {"count": 0}, {"kinds": 1}])
def test_impossible_sizes_are_refused(change):
    (name,) = change
    with pytest.raises(SeqexpError, match=f"SelectiveCopy: {name} must be"):
        SelectiveCopy(**{"length": 7, "count": 3, "kinds": 5, **SIZES, **change})
