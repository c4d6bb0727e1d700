"""Temporal order against experiments 6a and 6b of Hochreiter & Schmidhuber 1997."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pytest

from seqexp.tasks import TemporalOrder
from seqexp.tasks.synthetic import drawn
from seqexp.types import SeqexpError

SIZES: Any = {"valid_examples": 1, "test_examples": 1, "longest": 2, "longer_examples": 1}
PUBLISHED = {2: [(10, 20), (50, 60)], 3: [(10, 20), (33, 43), (66, 76)]}


@pytest.mark.parametrize("relevant", [2, 3])
@pytest.mark.parametrize("multiple", [1, 2])
def test_the_published_sequences(relevant, multiple):
    task = TemporalOrder(length=100, relevant=relevant, **SIZES)
    (inputs, lengths), targets, _ = drawn(task, jax.random.key(0), 1500, multiple)
    inputs, lengths = np.asarray(inputs), np.asarray(lengths)
    rows = np.arange(len(inputs))
    assert (lengths.min(), lengths.max()) == (100 * multiple, 110 * multiple)
    assert (inputs[:, 0] == 6).all() and (inputs[rows, lengths - 1] == 7).all()
    found, places = np.nonzero((inputs == 4) | (inputs == 5))
    assert (np.bincount(found) == relevant).all()
    places = places.reshape(-1, relevant)
    ends = [(low * multiple, high * multiple) for low, high in PUBLISHED[relevant]]
    assert [*zip(places.min(0), places.max(0), strict=True)] == ends
    order = inputs[rows[:, None], places]
    said = ["".join("XY"[token - 4] for token in row) for row in order]
    assert [task.answers[label] for label in np.asarray(targets)] == said


def test_distractors_and_classes_are_uniform():
    task = TemporalOrder(length=10, **SIZES)
    (inputs, _), targets, _ = drawn(task, jax.random.key(1), 2000, 1)
    # 500 expected of each class, with a standard deviation of 19.
    assert abs(np.bincount(np.asarray(targets), minlength=4) - 500).max() < 80
    distractors = np.bincount(np.asarray(inputs)[:, 3:5].ravel(), minlength=8)
    assert abs(distractors[:4] - 1000).max() < 120 and not distractors[4:].any()
    assert task.baselines == {"chance": 1 / 4}
    assert TemporalOrder(length=10, relevant=3, **SIZES).baselines == {"chance": 1 / 8}


@pytest.mark.parametrize("change", [{"length": 9}, {"relevant": 4}])
def test_impossible_sizes_are_refused(change):
    (name,) = change
    with pytest.raises(SeqexpError, match=f"TemporalOrder: {name} must be"):
        TemporalOrder(**{"length": 50, **SIZES, **change})
