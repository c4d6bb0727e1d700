"""Ridge regression from states, with the penalty chosen on sequences that were not fitted."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from seqexp.types import Array, SeqexpError

PENALTIES = tuple(10.0**power for power in range(-12, 3, 2))
"""Of the ridge, in units of sum_i s_i^2 / P, with s the singular values of the fitted states."""

PARTS = 4
"""Of four sequences that follow each other two are fitted, the third chooses the penalty, and the
fourth is scored: each part has its share of the filled-up examples at the end of a batch."""


class Parts(NamedTuple):
    """An array's sequences by what they are for.

    Attributes:
        fit: those that weights are fitted on.
        choose: those that choose the penalty.
        score: those that are scored.
    """

    fit: Array
    choose: Array
    score: Array


class Probe(NamedTuple):
    """States in the basis of the right singular vectors of the fitted ones.

    Attributes:
        left: `[N, R]`, the left singular vectors of the fitted states.
        singular: `[R]`.
        choose: `[N', R]`, states that choose the penalty.
        score: `[N'', R]`, states that are scored.
        penalties: `[L]`.
    """

    left: Float[Array, "N R"]
    singular: Float[Array, " R"]
    choose: Float[Array, "N2 R"]
    score: Float[Array, "N3 R"]
    penalties: Float[Array, " L"]


def parts(array: Float[Array, "B ..."]) -> Parts:
    """The parts of a batch, each flat over sequences and steps: `[B, T, ...]` to `[N, ...]`.

    Raises:
        SeqexpError: for fewer than 4 sequences.
    """
    if len(array) < PARTS:
        raise SeqexpError(
            f"a memory probe needs {PARTS} sequences, to fit, to choose the penalty and to score, "
            f"not {len(array)}: give more"
        )

    places = np.arange(len(array)) % PARTS

    def flat(chosen: np.ndarray) -> Array:
        part = array[np.flatnonzero(chosen)]
        return part.reshape(-1, *part.shape[2:])

    return Parts(flat(places < 2), flat(places == 2), flat(places == 3))


def weighted_mean(values: Float[Array, "N ..."], weights: Float[Array, " N"]) -> Array:
    """The mean over rows, 0 where nothing weighs."""
    return jnp.tensordot(weights, values, 1) / jnp.maximum(jnp.sum(weights), 1)


def probe(states: Parts, weights: Parts, penalties: tuple[float, ...] = PENALTIES) -> Probe:
    """Decompose states `[N, P]` once for all that is to be decoded from them.

    Args:
        states: `[N, P]` each.
        weights: `[N]` each, 1 for a row that counts and 0 for another.
        penalties: to choose from.
    """
    mean = weighted_mean(states.fit, weights.fit)
    fit, choose, score = (w[:, None] * (x - mean) for x, w in zip(states, weights, strict=True))
    left, singular, right = jnp.linalg.svd(fit, full_matrices=False)
    scale = jnp.sum(jnp.square(singular)) / fit.shape[1]
    scaled = jnp.array(penalties, fit.dtype) * jnp.where(scale > 0, scale, 1)
    return Probe(left, singular, choose @ right.T, score @ right.T, scaled)


def fitted(
    of: Probe,
    by_left: Float[Array, "R D"],
    by_choose: Float[Array, "R D"],
    gram: Float[Array, "R R"],
) -> tuple[Float[Array, "R D"], Float[Array, ""]]:
    """Ridge weights in the probe's basis, and the penalty that was chosen.

        W = diag(s / (s^2 + penalty)) U^T Y

    The penalty is that of the least squared error on the sequences that choose it, in sum over D.

    Args:
        of: the probe.
        by_left: U^T Y, of the fitted targets less their mean.
        by_choose: Z^T Y, of the choosing states Z and their targets less the same mean.
        gram: Z^T Z.
    """
    filters = of.singular / (jnp.square(of.singular) + of.penalties[:, None])
    linear = jnp.sum(by_left * by_choose, 1)
    quadratic = gram * (by_left @ by_left.T)
    errors = jnp.einsum("lr,rq,lq->l", filters, quadratic, filters) - 2 * filters @ linear
    best = jnp.argmin(errors)
    return filters[best][:, None] * by_left, of.penalties[best]
