"""Delayed recall: say the first symbol after a long time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import ascii_lowercase, ascii_uppercase
from typing import Literal

import jax
import jax.numpy as jnp

from seqexp.tasks.synthetic import SyntheticTask
from seqexp.types import Array, Batch, SeqexpError, Sequences


@dataclass(frozen=True, kw_only=True)
class DelayedRecall(SyntheticTask):
    """The first of S symbols is to be said at the end, behind `length` distractors.

    Symbols are capital letters, distractors small ones, each uniform. For example, with
    length = 6, S = 8 and D = 4:

        inputs  F a c c b d a ?     target  F

    Only the delay is hard: what to keep stands at the first step. Guessing has an accuracy of
    1 / S.

    The latching problem of Bengio et al. 1994, "Learning long-term dependencies with gradient
    descent is difficult", https://doi.org/10.1109/72.279181, with tokens in the place of noise;
    compare Hochreiter & Schmidhuber 1997, experiment 2, https://doi.org/10.1162/neco.1997.9.8.1735.

    Attributes:
        length: distractors between the symbol and the question, at least 1.
        kinds: S, 2 to 26.
        distractors: D, 1 to 26; of one kind they are blanks.

    Raises:
        SeqexpError: a size does not fit; see `SyntheticTask` for the others.
    """

    kinds: int
    distractors: int

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require("kinds", minimum=2)
        self.require("distractors", minimum=1)
        if max(self.kinds, self.distractors) > len(ascii_lowercase):
            raise SeqexpError("DelayedRecall: kinds and distractors must be 26 at most")

    @property
    def answer(self) -> Literal["sequence"]:
        return "sequence"

    @property
    def symbols(self) -> Sequence[str]:
        return [*ascii_uppercase[: self.kinds], *ascii_lowercase[: self.distractors], "?"]

    @property
    def answers(self) -> Sequence[str]:
        return self.symbols[: self.kinds]

    @property
    def baselines(self) -> Mapping[str, float]:
        return {"chance": 1 / self.kinds}

    def steps(self, multiple: int) -> int:
        return multiple * self.length + 2

    def draw(self, key: Array, batch_size: int, multiple: int) -> Batch:
        B, S, D, L = batch_size, self.kinds, self.distractors, multiple * self.length
        first_key, others_key = jax.random.split(key)
        first = jax.random.randint(first_key, (B, 1), 0, S, jnp.int32)
        others = jax.random.randint(others_key, (B, L), S, S + D, jnp.int32)
        question = jnp.full((B, 1), S + D, jnp.int32)
        inputs = jnp.concatenate([first, others, question], axis=1)
        return Batch(Sequences(inputs, jnp.full((B,), L + 2, jnp.int32)), first[:, 0])
