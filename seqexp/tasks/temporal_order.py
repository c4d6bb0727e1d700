"""Temporal order: in which order did the relevant symbols come?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal

import jax
import jax.numpy as jnp

from seqexp.tasks.synthetic import SyntheticTask
from seqexp.types import Array, Batch, SeqexpError, Sequences

X, Y, BEGIN, END = 4, 5, 6, 7
"""Tokens; those below are the distractors a, b, c and d."""

WINDOWS = {2: ((10, 20), (50, 60)), 3: ((10, 20), (33, 43), (66, 76))}
"""Where the relevant symbols stand, in percent of `length`, both ends included."""


@dataclass(frozen=True, kw_only=True)
class TemporalOrder(SyntheticTask):
    """Two or three symbols, each X or Y, far apart among distractors: which were they, in order?

    A sequence begins with E, ends with B and has `length` to 1.1 `length` steps, uniformly. The
    relevant symbols stand at uniform places in windows of their own. For example, with
    length = 20, where the windows are steps 2 to 4 and 10 to 12:

        step    0     3               11                    20
        inputs  E d a X c a b b d c a Y d b c c a d b a B       target  XY

    Each of the classes, 4 of two symbols and 8 of three, is as likely: guessing has an accuracy of
    1/4 or 1/8. In sequences of a multiple of the length the windows are stretched as much.

    Hochreiter & Schmidhuber 1997, "Long short-term memory", experiments 6a and 6b,
    https://doi.org/10.1162/neco.1997.9.8.1735 (length 100).

    Attributes:
        length: the fewest steps, at least 10.
        relevant: how many symbols matter, 2 or 3.

    Raises:
        SeqexpError: a size does not fit; see `SyntheticTask` for the others.
    """

    relevant: Literal[2, 3] = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require("length", minimum=10)
        if self.relevant not in WINDOWS:
            raise SeqexpError(f"TemporalOrder: relevant must be 2 or 3, but is {self.relevant!r}")

    @property
    def answer(self) -> Literal["sequence"]:
        return "sequence"

    @property
    def symbols(self) -> Sequence[str]:
        return "abcdXYEB"

    @property
    def answers(self) -> Sequence[str]:
        return ["".join(order) for order in product("XY", repeat=self.relevant)]

    @property
    def baselines(self) -> Mapping[str, float]:
        return {"chance": 0.5**self.relevant}

    def steps(self, multiple: int) -> int:
        return multiple * self.length * 110 // 100

    def windows(self, multiple: int) -> list[tuple[int, int]]:
        """The first and the last step where each relevant symbol may stand."""
        L = multiple * self.length
        return [(L * first // 100, L * last // 100) for first, last in WINDOWS[self.relevant]]

    def draw(self, key: Array, batch_size: int, multiple: int) -> Batch:
        B, T, windows = batch_size, self.steps(multiple), self.windows(multiple)
        length_key, others_key, order_key, *keys = jax.random.split(key, 3 + len(windows))
        shape, shortest = (B, 1), multiple * self.length
        lengths = jax.random.randint(length_key, shape, shortest, T + 1, jnp.int32)
        inputs = jax.random.randint(others_key, (B, T), 0, X, jnp.int32)
        order = jax.random.randint(order_key, (B, len(windows)), 0, 2, jnp.int32)
        steps = jnp.arange(T, dtype=jnp.int32)
        for i, (place_key, (first, last)) in enumerate(zip(keys, windows, strict=True)):
            place = jax.random.randint(place_key, shape, first, last + 1, jnp.int32)
            inputs = jnp.where(steps == place, X + order[:, i : i + 1], inputs)
        inputs = jnp.where(steps == 0, BEGIN, jnp.where(steps == lengths - 1, END, inputs))
        inputs = jnp.where(steps < lengths, inputs, 0)
        weights = 2 ** jnp.arange(len(windows) - 1, -1, -1, dtype=jnp.int32)
        return Batch(Sequences(inputs, lengths[:, 0]), jnp.sum(order * weights, axis=1))
