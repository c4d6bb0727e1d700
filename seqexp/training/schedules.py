"""Learning rate schedules, as a factor in [0, 1] of the progress in [0, 1] through training."""

from __future__ import annotations

from collections.abc import Callable

import jax.numpy as jnp

from seqexp.types import Array, SeqexpError

Schedule = Callable[[Array], Array]


def constant() -> Schedule:
    """The same rate throughout."""
    return jnp.ones_like


def warmup_cosine(*, warmup: float, final: float) -> Schedule:
    """Linear from 0 over the first `warmup` of training, then half a cosine down to `final`.

        s(p) = p / warmup                                        while p < warmup
        s(p) = final + (1 - final) (1 + cos(pi (p - warmup) / (1 - warmup))) / 2   after

    Args:
        warmup: the share of training that warms up, in [0, 1).
        final: the factor at the end, in [0, 1].

    Raises:
        SeqexpError: outside these ranges.

    Source: Loshchilov and Hutter 2017, https://arxiv.org/abs/1608.03983
    """
    if not 0 <= warmup < 1 or not 0 <= final <= 1:
        raise SeqexpError(
            f"schedule: warmup must be in [0, 1) and final in [0, 1], not {warmup} and {final}"
        )

    def factor(progress: Array) -> Array:
        rest = (progress - warmup) / (1 - warmup)
        cosine = final + (1 - final) * (1 + jnp.cos(jnp.pi * rest)) / 2
        if warmup == 0:
            return cosine
        return jnp.where(progress < warmup, progress / warmup, cosine)

    return factor


def warmup_stable_decay(*, warmup: float, decay: float, final: float) -> Schedule:
    """Linear from 0 over the first `warmup` of training, constant, linear to `final` at the end.

        s(p) = min(p / warmup, 1, final + (1 - final) (1 - p) / decay)

    Args:
        warmup: the share of training that warms up; 0 for none.
        decay: the share of training that decays; the two are at most 1 together.
        final: the factor at the end, in [0, 1].

    Raises:
        SeqexpError: outside these ranges.

    Source: Hu et al. 2024, https://arxiv.org/abs/2404.06395
    """
    if warmup < 0 or decay <= 0 or warmup + decay > 1 or not 0 <= final <= 1:
        raise SeqexpError(
            "schedule: warmup must be at least 0, decay above 0, both at most 1 together, and "
            f"final in [0, 1], not {warmup}, {decay} and {final}"
        )

    def factor(progress: Array) -> Array:
        falling = jnp.minimum(1, final + (1 - final) * (1 - progress) / decay)
        return falling if warmup == 0 else jnp.minimum(falling, progress / warmup)

    return factor
