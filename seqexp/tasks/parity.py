"""Parity: is the number of ones odd?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp

from seqexp.tasks.synthetic import SyntheticTask, draw_lengths
from seqexp.types import Array, Batch, Sequences


@dataclass(frozen=True, kw_only=True)
class Parity(SyntheticTask):
    """Whether a string of bits has an odd number of ones, a regular language.

    Bits are uniform, lengths uniform from 1 to `length`; longer splits have the lengths above, as
    "length 2x" those above `length` up to twice as many. For example

        inputs  0 1 1 0 1     target  odd

    Always answering the same has an accuracy of 1/2.

    Delétang et al. 2022, "Neural networks and the Chomsky hierarchy", task "parity check",
    https://arxiv.org/abs/2207.02098 (lengths 1 to 40, tested on 41 to 500).

    Attributes:
        length: the most bits in training, at least 1.

    Raises:
        SeqexpError: see `SyntheticTask`.
    """

    @property
    def answer(self) -> Literal["sequence"]:
        return "sequence"

    @property
    def symbols(self) -> Sequence[str]:
        return "01"

    @property
    def answers(self) -> Sequence[str]:
        return ["even", "odd"]

    @property
    def baselines(self) -> Mapping[str, float]:
        return {"chance": 0.5}

    def steps(self, multiple: int) -> int:
        return multiple * self.length

    def draw(self, key: Array, batch_size: int, multiple: int) -> Batch:
        length_key, bits_key = jax.random.split(key)
        lengths = draw_lengths(length_key, batch_size, self.length, multiple)
        shape = batch_size, self.steps(multiple)
        inputs = Sequences(jax.random.randint(bits_key, shape, 0, 2, jnp.int32), lengths)
        ones = jnp.where(inputs.mask, inputs.values, 0)
        return Batch(inputs._replace(values=ones), jnp.sum(ones, axis=1, dtype=jnp.int32) % 2)
