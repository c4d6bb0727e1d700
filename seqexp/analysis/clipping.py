"""How often gradients explode or vanish in training, and what clipping leaves of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from seqexp.runs.schema import is_number
from seqexp.types import SeqexpError

GRADIENT_NORM = "train/grad_norm"
"""Its name in metrics.jsonl."""


class ClippingShares(NamedTuple):
    """Shares of training steps, or of intervals of them, from 0 to 1; NaN of no step.

    Attributes:
        steps: how many there are.
        typical: the median norm of those that are finite.
        clipped: whose norm exceeds the clip norm.
        exploding_before: whose norm exceeds `exploding` times the typical one, or is not finite.
        exploding_after: the same of what clipping leaves, by the same threshold.
        vanishing_before: whose norm is below `vanishing` times the typical one.
        vanishing_after: the same of what clipping leaves, by the same threshold.
    """

    steps: int
    typical: float
    clipped: float
    exploding_before: float
    exploding_after: float
    vanishing_before: float
    vanishing_after: float


def clipping_shares(
    norms: np.ndarray,
    clip_norm: float | None,
    *,
    exploding: float = 10.0,
    vanishing: float = 0.01,
) -> ClippingShares:
    """The shares of exploding and vanishing steps before and after clipping by the global norm.

        after = min(norm, clip_norm)
        exploding: norm > exploding * median,    vanishing: norm < vanishing * median

    Pascanu et al. 2013 (https://arxiv.org/abs/1211.5063), who propose the clipping, call a "large
    increase in the norm of the gradient" exploding, and the opposite vanishing; large and small
    are meant here against the run's own median, before clipping. A run whose gradients are all tiny
    has no vanishing step by this measure: see `gradient_by_lag` for that. Clipping does not mend a
    norm that is not finite, so such a step explodes before and after.

    Args:
        norms: `[N]`, the global norm of the gradient before clipping, of N training steps. The
            `grad_norm` of a record is a mean over the steps since the record before: from such, the
            shares are of intervals, and single outliers are smoothed.
        clip_norm: above 0; None or infinity for no clipping.
        exploding: times the median, above 1.
        vanishing: times the median, from 0 to below 1.

    Raises:
        SeqexpError: for thresholds out of their range, a clip norm that is not above 0, or norms
            that are not one for each step.

    >>> shares = clipping_shares(np.array([1.0, 1.0, 1.0, 50.0]), clip_norm=2.0)
    >>> shares.exploding_before, shares.exploding_after, shares.clipped
    (0.25, 0.0, 0.25)
    """
    if not (exploding > 1 and 0 <= vanishing < 1):
        raise SeqexpError(
            "exploding must be above 1 and vanishing from 0 to below 1, not "
            f"{exploding} and {vanishing}"
        )
    clip_norm = math.inf if clip_norm is None else clip_norm
    if not clip_norm > 0:
        raise SeqexpError(f"clip_norm must be above 0, or None for no clipping, not {clip_norm}")
    if np.ndim(norms) != 1:
        raise SeqexpError(f"norms must be one a step, [N], not {list(np.shape(norms))}")
    finite = np.isfinite(norms)
    typical = float(np.median(norms[finite])) if finite.any() else math.nan
    after = np.minimum(norms, clip_norm)

    def share(found: np.ndarray) -> float:
        return float(np.mean(found)) if norms.size else math.nan

    return ClippingShares(
        norms.size,
        typical,
        share(finite & (norms > clip_norm)),
        share(~finite | (norms > exploding * typical)),
        share(~finite | (after > exploding * typical)),
        share(finite & (norms < vanishing * typical)),
        share(finite & (after < vanishing * typical)),
    )


def recorded_clipping(
    metrics: Sequence[Mapping[str, Any]], config: Mapping[str, Any]
) -> ClippingShares:
    """The shares of the intervals between evaluations, from the records of a run.

    Args:
        metrics: the lines of metrics.jsonl; a norm that is null was not finite, and a line without
            a norm doesn't count.
        config: of the run; without a clip norm nothing is clipped.
    """
    found = [line[GRADIENT_NORM] for line in metrics if GRADIENT_NORM in line]
    norms = np.array([norm if is_number(norm) else math.nan for norm in found], float)
    optimizer = config.get("optimizer")
    clip_norm = optimizer.get("clip_norm") if isinstance(optimizer, Mapping) else None
    known = isinstance(clip_norm, float | int) and clip_norm > 0
    return clipping_shares(norms, clip_norm if known else None)
