"""Splits in which each class has its share."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqexp.data.stratified import stratified
from seqexp.types import SeqexpError


@settings(deadline=None, derandomize=True, max_examples=60)
@given(
    labels=st.lists(st.sampled_from("abc"), min_size=6, max_size=40),
    weights=st.lists(st.integers(1, 5), min_size=1, max_size=3),
    seed=st.integers(0, 99),
)
def test_each_part_has_its_share_of_each_class(labels, weights, seed):
    labels, shares = np.array(labels), [weight / sum(weights) for weight in weights]
    try:
        parts = stratified(labels, shares, seed)
    except SeqexpError as error:
        assert "empty split" in str(error)
        return
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(labels)))
    for part, share in zip(parts, shares, strict=True):
        assert len(set(part.tolist())) == len(part)
        for label in set(labels.tolist()):
            count = (labels == label).sum()
            assert abs((labels[part] == label).sum() - count * share) < 1


def test_the_seed_decides():
    labels = np.repeat([0, 1], 30)
    drawn = [stratified(labels, (0.5, 0.5), seed)[0].tolist() for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.mark.parametrize("shares", [(), (0.5, 0.6), (1.5, -0.5)])
def test_shares_that_are_none_are_refused(shares):
    with pytest.raises(SeqexpError, match="add up to 1"):
        stratified(np.zeros(9), shares, 0)


def test_an_empty_part_is_refused():
    with pytest.raises(SeqexpError, match="2 examples .* make an empty split"):
        stratified(np.array([0, 1]), (0.8, 0.2), 0)
