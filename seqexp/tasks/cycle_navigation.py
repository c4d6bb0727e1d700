"""Cycle navigation: where on a circle do some steps lead?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

from seqexp.tasks.synthetic import SyntheticTask, draw_lengths
from seqexp.types import Array, Batch, Sequences

MOVES = np.array([0, 1, -1], np.int32)


@dataclass(frozen=True, kw_only=True)
class CycleNavigation(SyntheticTask):
    """The place on a circle of P, behind moves that are uniform: stay, one on, or one back.

    It begins at place 0. Lengths are uniform from 1 to `length`; longer splits have the lengths
    above, as "length 2x" those above `length` up to twice as many. For example, with P = 5,

        inputs  + - = - -     target  3, which is -2

    The place after t moves is 0 with a probability of sum_k ((1 + 2 cos(2 pi k / P)) / 3)^t / P,
    more than any other. Always answering 0 has the mean of this over the lengths as its accuracy.

    Delétang et al. 2022, "Neural networks and the Chomsky hierarchy", https://arxiv.org/abs/2207.02098
    (lengths 1 to 40, tested on 41 to 500, P = 5).

    Attributes:
        length: the most moves in training, at least 1.
        places: P, at least 3.

    Raises:
        SeqexpError: a size is too small; see `SyntheticTask` for the others.
    """

    places: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require("places", minimum=3)

    @property
    def answer(self) -> Literal["sequence"]:
        return "sequence"

    @property
    def symbols(self) -> Sequence[str]:
        return "=+-"

    @property
    def answers(self) -> Sequence[str]:
        return [str(place) for place in range(self.places)]

    @property
    def baselines(self) -> Mapping[str, float]:
        modes = (1 + 2 * np.cos(2 * np.pi * np.arange(self.places) / self.places)) / 3
        powers = modes ** np.arange(1, self.length + 1)[:, None]
        return {"always 0": float(powers.mean())}

    def steps(self, multiple: int) -> int:
        return multiple * self.length

    def draw(self, key: Array, batch_size: int, multiple: int) -> Batch:
        length_key, moves_key = jax.random.split(key)
        lengths = draw_lengths(length_key, batch_size, self.length, multiple)
        shape = batch_size, self.steps(multiple)
        inputs = Sequences(jax.random.randint(moves_key, shape, 0, len(MOVES), jnp.int32), lengths)
        read = jnp.where(inputs.mask, inputs.values, 0)
        places = jnp.sum(jnp.asarray(MOVES)[read], axis=1, dtype=jnp.int32) % self.places
        return Batch(inputs._replace(values=read), places)
