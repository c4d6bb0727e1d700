"""Multi-query associative recall against the generation of Arora et al. 2023."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from seqexp.tasks import AssociativeRecall
from seqexp.tasks.synthetic import drawn
from seqexp.types import SeqexpError

SIZES = {"valid_examples": 1, "test_examples": 1, "longest": 2, "longer_examples": 1}
TASK = AssociativeRecall(length=16, pairs=2, vocabulary=12, random_tokens=False, **SIZES)


@pytest.mark.parametrize("random_tokens", [False, True])
@pytest.mark.parametrize("multiple", [1, 2])
def test_each_key_comes_again_and_asks_for_its_value(random_tokens, multiple):
    task = AssociativeRecall(
        length=16, pairs=3, vocabulary=13, random_tokens=random_tokens, **SIZES
    )
    batch = drawn(task, jax.random.key(0), 40, multiple)
    asked = np.asarray(task.asked(batch))
    pairs = zip(np.asarray(batch.inputs.values), np.asarray(batch.targets), asked, strict=True)
    for read, due, where in pairs:
        values = dict(zip(read[:6:2], read[1:6:2], strict=True))
        assert len(values) == len(set(values.values())) == 3
        assert all(1 <= key < 6 <= value < 13 for key, value in values.items())
        queries = np.flatnonzero(where)
        assert (queries >= 6).all() and (queries % 2 == 0).all()
        assert sorted(read[queries]) == sorted(values)
        assert [values[key] for key in read[queries]] == due[queries].tolist()
        others = np.delete(read[6:], queries - 6)
        assert random_tokens == others.any() and (due[~where] == 0).all()


def expected_gaps(space: int, power: float, draws: int) -> np.ndarray:
    """`[space]`: how often a place is the first key's, and how often the second's, by NumPy."""
    p = np.arange(1, space + 1) ** (power - 1)
    rng = np.random.default_rng(0)
    drawn = [rng.choice(space, 2, replace=False, p=p / p.sum()) for _ in range(draws)]
    return np.stack([np.bincount(column, minlength=space) for column in np.array(drawn).T]) / draws


@pytest.mark.parametrize("power", [0.01, 1.0])
def test_the_gaps_follow_the_power_law_without_replacement(power):
    task = AssociativeRecall(
        length=16, pairs=2, vocabulary=12, power=power, random_tokens=False, **SIZES
    )
    inputs = np.asarray(drawn(task, jax.random.key(1), 4000, 1).inputs.values)
    places = [(inputs[:, 4:] == inputs[:, i : i + 1]).argmax(1) // 2 for i in (0, 2)]
    found = np.stack([np.bincount(place, minlength=6) for place in places]) / 4000
    # Standard deviations are at most 0.008 of either.
    np.testing.assert_allclose(found, expected_gaps(6, power, 4000), atol=0.045)
    assert (found[0, 0] > 0.3) == (power < 1)


def test_guesses_reach_the_baselines():
    batch = drawn(TASK, jax.random.key(2), 3000, 1)
    due = np.asarray(batch.targets)[np.asarray(TASK.asked(batch))]
    first = np.repeat(np.asarray(batch.inputs.values)[:, 1], 2)
    assert TASK.baselines == {"chance": 1 / 6, "a value of the sequence": 1 / 2}
    assert abs(np.mean(due == 7) - 1 / 6) < 0.02
    assert np.mean(due == first) == 1 / 2


@pytest.mark.parametrize(
    "change", [{"length": 6}, {"length": 17}, {"pairs": 0}, {"vocabulary": 5}, {"power": 0.0}]
)
def test_impossible_sizes_are_refused(change):
    (name,) = change
    with pytest.raises(SeqexpError, match=f"AssociativeRecall: {name} must be"):
        AssociativeRecall(**{"length": 16, "pairs": 2, "vocabulary": 12, **SIZES, **change})
