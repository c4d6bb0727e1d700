"""Schedules against their formulas at the points that matter."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from seqexp.training.schedules import constant, warmup_cosine, warmup_stable_decay
from seqexp.types import SeqexpError


def at(schedule, *points):
    return [float(schedule(jnp.float32(p))) for p in points]


def test_constant():
    assert at(constant(), 0.0, 0.4, 1.0) == [1, 1, 1]


def test_warmup_cosine():
    schedule = warmup_cosine(warmup=0.2, final=0.1)
    expected = [0, 0.5, 1, (1 + 0.1) / 2, 0.1]
    np.testing.assert_allclose(at(schedule, 0, 0.1, 0.2, 0.6, 1), expected, atol=1e-6)
    np.testing.assert_allclose(
        at(warmup_cosine(warmup=0, final=0), 0, 0.5, 1), [1, 0.5, 0], atol=1e-6
    )


def test_warmup_stable_decay():
    schedule = warmup_stable_decay(warmup=0.1, decay=0.4, final=0.2)
    expected = [0, 0.5, 1, 1, 1, 0.6, 0.2]
    points = (0, 0.05, 0.1, 0.3, 0.59, 0.8, 1)
    np.testing.assert_allclose(at(schedule, *points), expected, atol=1e-6)
    assert at(warmup_stable_decay(warmup=0, decay=0.5, final=0), 0) == [1]


@pytest.mark.parametrize(
    "make",
    [
        lambda: warmup_cosine(warmup=1.0, final=0),
        lambda: warmup_cosine(warmup=0.1, final=2),
        lambda: warmup_stable_decay(warmup=0.7, decay=0.4, final=0),
        lambda: warmup_stable_decay(warmup=0.1, decay=0, final=0),
    ],
)
def test_impossible_shares_are_refused(make):
    with pytest.raises(SeqexpError, match="schedule"):
        make()
