"""How far apart what belongs together may be: accuracy against distance and length."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Bool, Float, Int

from seqexp.types import Array, SeqexpError

SOLVED = 0.5
"""How far from chance to perfect a score is that counts as solved."""


class ByDistance(NamedTuple):
    """Accuracy at each distance.

    Attributes:
        accuracy: `[K + 1]`, for distances 0 to K; NaN where no answer has it.
        count: `[K + 1]`, how many have it.
    """

    accuracy: Float[Array, " K+1"]
    count: Float[Array, " K+1"]


def accuracy_by_distance(
    correct: Bool[Array, "*N"],
    distance: Int[Array, "*N"],
    mask: Bool[Array, "*N"],
    max_distance: int,
) -> ByDistance:
    """The share of right answers among those of each distance.

    Args:
        correct: `[...]`, whether an answer is right.
        distance: `[...]`, steps from what it depends on to the answer; those above `max_distance`
            don't count.
        mask: `[...]`, True where an answer counts.
        max_distance: K.

    >>> found = accuracy_by_distance(
    ...     jnp.array([True, False, True]), jnp.array([1, 1, 2]), jnp.ones(3, bool), 2)
    >>> found.accuracy.tolist()[1:], found.count.tolist()
    ([0.5, 1.0], [0.0, 2.0, 1.0])
    """
    counts = (mask & (distance >= 0) & (distance <= max_distance)).reshape(-1)
    place = jnp.clip(distance, 0, max_distance).reshape(-1)
    empty = jnp.zeros(max_distance + 1)
    total = empty.at[place].add(counts.astype(jnp.float32))
    right = empty.at[place].add((counts & correct.reshape(-1)).astype(jnp.float32))
    return ByDistance(jnp.where(total > 0, right / jnp.maximum(total, 1), jnp.nan), total)


def scores_by_length(scores: Mapping[str, float], trained_length: int) -> dict[int, float]:
    """A score against the length of the sequences, from those of a task's splits, shortest first.

    Args:
        scores: of one metric, by split: "test" has the length that was trained, "length 2x" twice
            as much, and others don't count.
        trained_length: T in training, the spec's `usual_length`.

    >>> scores_by_length({"valid": 0.97, "test": 0.96, "length 4x": 0.5, "length 2x": 0.9}, 50)
    {50: 0.96, 100: 0.9, 200: 0.5}
    """
    found = {trained_length: scores["test"]} if "test" in scores else {}
    for name, score in scores.items():
        if multiple := re.fullmatch(r"length (\d+)x", name):
            found[int(multiple[1]) * trained_length] = score
    return dict(sorted(found.items()))


def longest_solved(
    scores: Mapping[int, float], chance: float, perfect: float, threshold: float = SOLVED
) -> int | None:
    """The largest distance, lag or length whose score is solved.

        (score - chance) / (perfect - chance) >= threshold

    whichever direction is better. A longer one may be solved where a shorter one is not, and NaN is
    not solved.

    Args:
        scores: by distance.
        chance: the score of knowing nothing.
        perfect: the best score.
        threshold: above 0, at most 1.

    Returns:
        None where none is solved.

    Raises:
        SeqexpError: for a threshold out of its range, or chance that is perfect.

    >>> longest_solved({10: 0.01, 20: 0.05, 40: 0.16}, chance=0.167, perfect=0.0)
    20
    """
    if not 0 < threshold <= 1:
        raise SeqexpError(f"threshold must be above 0 and at most 1, not {threshold!r}")
    if chance == perfect:
        raise SeqexpError(f"a score of {chance!r} is both chance and perfect: nothing is solved")
    solved = [d for d, s in scores.items() if (s - chance) / (perfect - chance) >= threshold]
    return max(solved, default=None)
