"""How often gradients explode or vanish in training, and what clipping leaves of it."""

from __future__ import annotations

import math
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Float, Int

from seqexp.types import Array, SeqexpError


class ClippingShares(NamedTuple):
    """Shares of training steps, from 0 to 1; NaN of no step.

    Attributes:
        steps: how many there are.
        typical: the median norm of those that are finite.
        clipped: whose norm exceeds the clip norm.
        exploding_before: whose norm exceeds `exploding` times the typical one, or is not finite.
        exploding_after: the same of what clipping leaves, by the same threshold.
        vanishing_before: whose norm is below `vanishing` times the typical one.
        vanishing_after: the same of what clipping leaves, by the same threshold.
    """

    steps: Int[Array, ""]
    typical: Float[Array, ""]
    clipped: Float[Array, ""]
    exploding_before: Float[Array, ""]
    exploding_after: Float[Array, ""]
    vanishing_before: Float[Array, ""]
    vanishing_after: Float[Array, ""]


def clipping_shares(
    norms: Float[Array, " N"],
    clip_norm: float | Array | None,
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

    >>> shares = clipping_shares(jnp.array([1.0, 1.0, 1.0, 50.0]), clip_norm=2.0)
    >>> float(shares.exploding_before), float(shares.exploding_after), float(shares.clipped)
    (0.25, 0.0, 0.25)
    """
    if not (exploding > 1 and 0 <= vanishing < 1):
        raise SeqexpError(
            "exploding must be above 1 and vanishing from 0 to below 1, not "
            f"{exploding} and {vanishing}"
        )
    clip_norm = math.inf if clip_norm is None else clip_norm
    if isinstance(clip_norm, float | int) and not clip_norm > 0:
        raise SeqexpError(f"clip_norm must be above 0, or None for no clipping, not {clip_norm}")
    if jnp.ndim(norms) != 1:
        raise SeqexpError(f"norms must be one a step, [N], not {list(jnp.shape(norms))}")
    norms = jnp.asarray(norms)
    finite = jnp.isfinite(norms)
    typical = jnp.nanmedian(jnp.where(finite, norms, jnp.nan)) if norms.size else jnp.nan

    def share(found: Array) -> Array:
        return jnp.mean(found) if norms.size else jnp.asarray(jnp.nan)

    def explodes(norms: Array) -> Array:
        return ~finite | (norms > exploding * typical)

    after = jnp.minimum(norms, clip_norm)
    return ClippingShares(
        jnp.asarray(norms.size),
        jnp.asarray(typical),
        share(finite & (norms > clip_norm)),
        share(explodes(norms)),
        share(explodes(after)),
        share(finite & (norms < vanishing * typical)),
        share(finite & (after < vanishing * typical)),
    )
