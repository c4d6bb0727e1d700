"""Shares of exploding and vanishing steps, counted by hand."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqexp.inspection import clipping_shares
from seqexp.types import SeqexpError

NORMS: Any = np.array([1.0, 1.0, 1.0, 1.0, 5.0, 20.0, np.inf, 0.001, 0.5, np.nan])


def shares(clip_norm, **thresholds):
    found = jax.jit(lambda norms: clipping_shares(norms, clip_norm, **thresholds))(NORMS)
    return {name: float(value) for name, value in found._asdict().items()}


def test_steps_are_counted_before_and_after():
    assert shares(2.0) == pytest.approx(
        {
            "steps": 10,
            "typical": 1,
            "clipped": 0.2,  # 5 and 20
            "exploding_before": 0.3,  # 20 and what is not finite
            "exploding_after": 0.2,
            "vanishing_before": 0.1,
            "vanishing_after": 0.1,
        }
    )
    assert shares(2.0, exploding=4, vanishing=0.6)["exploding_before"] == pytest.approx(0.4)
    assert shares(2.0, exploding=4, vanishing=0.6)["vanishing_before"] == pytest.approx(0.2)


def test_without_clipping_nothing_changes():
    found = shares(None)
    assert found == shares(np.inf)
    assert found["clipped"] == 0 and found["exploding_after"] == found["exploding_before"]


def test_clipping_far_below_the_typical_norm_makes_all_small():
    assert shares(1e-3)["vanishing_after"] == pytest.approx(0.8)


def test_of_no_step_nothing_is_known():
    found = clipping_shares(jnp.zeros(0), 1.0)
    assert found.steps == 0 and np.isnan(found.exploding_before) and np.isnan(found.clipped)


@pytest.mark.parametrize(
    ("norms", "clip_norm", "thresholds", "message"),
    [
        (NORMS, 0.0, {}, "clip_norm must be above 0"),
        (NORMS, 1.0, {"exploding": 1.0}, "exploding must be above 1"),
        (NORMS, 1.0, {"vanishing": 1.0}, "vanishing from 0"),
        (NORMS[None], 1.0, {}, "one a step"),
    ],
)
def test_mistakes_are_named(norms, clip_norm, thresholds, message):
    with pytest.raises(SeqexpError, match=message):
        clipping_shares(norms, clip_norm, **thresholds)
