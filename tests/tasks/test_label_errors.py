"""Edit distances and label error rates against jiwer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqexp.tasks.label_errors import edit_distance, label_error_rate, label_lists
from seqexp.types import Sequences

WORDS = st.lists(st.integers(0, 3), max_size=6)


@settings(deadline=None, derandomize=True, max_examples=60)
@given(found=WORDS, right=WORDS)
def test_a_distance(found, right):
    distance = edit_distance(found, right)
    assert distance == edit_distance(right, found)
    assert (distance == 0) == (found == right)
    assert abs(len(found) - len(right)) <= distance <= max(len(found), len(right))


@settings(deadline=None, derandomize=True, max_examples=40)
@given(pairs=st.lists(st.tuples(WORDS, WORDS.filter(bool)), min_size=1, max_size=4))
def test_the_rate_is_that_of_jiwer(pairs):
    jiwer = pytest.importorskip("jiwer", exc_type=ImportError)
    found, right = zip(*pairs, strict=True)

    def texts(rows):
        return [" ".join(map(str, row)) for row in rows]

    want = jiwer.wer(texts(right), texts(found))
    assert label_error_rate(found, right) == pytest.approx(want, abs=1e-12)


def test_padding_is_no_label():
    labels = Sequences(np.array([[1, 2, 9], [9, 9, 9]]), np.array([2, 0]))  # type: ignore[arg-type]
    assert label_lists(labels) == [[1, 2], []]
