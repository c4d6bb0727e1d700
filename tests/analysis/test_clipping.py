"""Shares of exploding and vanishing steps, counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from seqexp.analysis.clipping import clipping_shares, recorded_clipping
from seqexp.types import SeqexpError

NORMS = np.array([1.0, 1.0, 1.0, 1.0, 5.0, 20.0, np.inf, 0.001, 0.5, np.nan])


def shares(clip_norm, **thresholds):
    return clipping_shares(NORMS, clip_norm, **thresholds)._asdict()


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
    found = clipping_shares(np.zeros(0), 1.0)
    assert found.steps == 0 and np.isnan(found.exploding_before) and np.isnan(found.clipped)


def test_records_tell_the_norms_of_intervals():
    """A null norm was not finite; the line at step 0 has none."""
    norms = [4.0, 1.0, None, 1.0]
    metrics = [{"step": 0}, *({"step": i + 1, "train/grad_norm": n} for i, n in enumerate(norms))]
    found = recorded_clipping(metrics, {"optimizer": {"clip_norm": 2.0}})
    assert (found.steps, found.typical, found.clipped) == (4, 1, 0.25)
    assert found.exploding_before == found.exploding_after == 0.25
    for config in ({}, {"optimizer": None}, {"optimizer": {"clip_norm": None}}):
        assert recorded_clipping(metrics, config).clipped == 0


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
