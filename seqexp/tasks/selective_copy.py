"""Selective copying: recall the symbols that stood among blanks, in their order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp

from seqexp.tasks.synthetic import SyntheticTask, choose
from seqexp.types import Array, Batch, Sequences


@dataclass(frozen=True, kw_only=True)
class SelectiveCopy(SyntheticTask):
    """K symbols stand at random places among blanks; then they are to be repeated in order.

    A sequence has `length` steps, of which K random ones hold a symbol and the others a blank, and
    K markers, each of which asks for the next symbol. Nothing is asked before. For example, with
    length = 7 and K = 3, blanks written as dots:

        inputs   . 5 . 1 . . 8  ? ? ?
        targets                 5 1 8

    Where the symbols stand varies, so that what to keep has to be told from what was read. Longer
    sequences have more blanks and as many symbols. Guessing has an accuracy of 1 / S.

    Gu & Dao 2023, "Mamba: Linear-time sequence modeling with selective state spaces", section
    4.1.1, https://arxiv.org/abs/2312.00752 (length 4096, 16 symbols of 16 tokens, S = 14). Here
    symbols are uniform and may repeat.

    Attributes:
        length: steps before the markers, at least K.
        count: K, at least 1.
        kinds: S, how many symbols there are, at least 2.

    Raises:
        SeqexpError: a size is too small; see `SyntheticTask` for the others.
    """

    count: int
    kinds: int

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require("count", minimum=1)
        self.require("kinds", minimum=2)
        self.require("length", minimum=self.count)

    @property
    def answer(self) -> Literal["step"]:
        return "step"

    @property
    def symbols(self) -> Sequence[str]:
        return [".", *map(str, range(1, self.kinds + 1)), "?"]

    @property
    def answers(self) -> Sequence[str]:
        return self.symbols[1:-1]

    @property
    def baselines(self) -> Mapping[str, float]:
        return {"chance": 1 / self.kinds}

    def steps(self, multiple: int) -> int:
        return multiple * self.length + self.count

    def asked(self, batch: Batch) -> Array:
        """The last K steps."""
        values, lengths = batch.inputs
        return batch.inputs.mask & ~Sequences(values, lengths - self.count).mask

    def draw(self, key: Array, batch_size: int, multiple: int) -> Batch:
        B, K, L = batch_size, self.count, multiple * self.length
        place_key, symbol_key = jax.random.split(key)
        places = jnp.sort(choose(place_key, B, L, K), axis=1)
        symbols = jax.random.randint(symbol_key, (B, K), 0, self.kinds, jnp.int32)
        rows = jnp.arange(B)[:, None]
        read = jnp.zeros((B, L), jnp.int32).at[rows, places].set(symbols + 1)
        markers = jnp.full((B, K), self.kinds + 1, jnp.int32)
        inputs = jnp.concatenate([read, markers], axis=1)
        targets = jnp.concatenate([jnp.zeros((B, L), jnp.int32), symbols], axis=1)
        return Batch(Sequences(inputs, jnp.full((B,), L + K, jnp.int32)), targets)
