"""n-back: is this symbol the one that came n steps ago?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Literal

import jax
import jax.numpy as jnp

from seqexp.tasks.synthetic import SyntheticTask
from seqexp.types import Array, Batch, SeqexpError, Sequences


@dataclass(frozen=True, kw_only=True)
class NBack(SyntheticTask):
    """At each step: is the symbol the one of n steps before?

    It is in half of the cases, else uniform among the others; the first n are uniform, and nothing
    is asked there. For example, with n = 2:

        inputs   C A C B C A A
        targets      yes no yes no no

    Always answering the same has an accuracy of 1/2. However long a sequence, the last n symbols
    are all that has to be kept.

    Kirchner 1958, "Age differences in short-term retention of rapidly changing information",
    https://doi.org/10.1037/h0043688.

    Attributes:
        length: T, more than n.
        back: n, at least 1.
        kinds: how many symbols there are, 2 to 26.

    Raises:
        SeqexpError: a size does not fit; see `SyntheticTask` for the others.
    """

    back: int
    kinds: int

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require("back", minimum=1)
        self.require("kinds", minimum=2)
        self.require("length", minimum=self.back + 1)
        if self.kinds > len(ascii_uppercase):
            raise SeqexpError(f"NBack: kinds must be 26 at most, but is {self.kinds}")

    @property
    def answer(self) -> Literal["step"]:
        return "step"

    @property
    def symbols(self) -> Sequence[str]:
        return ascii_uppercase[: self.kinds]

    @property
    def answers(self) -> Sequence[str]:
        return ["no", "yes"]

    @property
    def baselines(self) -> Mapping[str, float]:
        return {"chance": 0.5}

    def steps(self, multiple: int) -> int:
        return multiple * self.length

    def asked(self, batch: Batch) -> Array:
        """All steps but the first n."""
        mask = batch.inputs.mask
        return mask & (jnp.arange(mask.shape[1]) >= self.back)

    def draw(self, key: Array, batch_size: int, multiple: int) -> Batch:
        B, n, S, T = batch_size, self.back, self.kinds, multiple * self.length
        rounds = -(-T // n)
        first_key, same_key, other_key = jax.random.split(key, 3)
        first = jax.random.randint(first_key, (B, 1, n), 0, S, jnp.int32)
        same = jax.random.bernoulli(same_key, 0.5, (B, rounds, n))
        shifts = jax.random.randint(other_key, (B, rounds, n), 1, S, jnp.int32)
        # Steps that are n apart are a chain: each symbol is the one before, shifted, mod S.
        shifts = jnp.where(same, 0, shifts).at[:, :1].set(first)
        inputs = (jnp.cumsum(shifts, axis=1, dtype=jnp.int32) % S).reshape(B, -1)[:, :T]
        asked = jnp.arange(T) >= n
        targets = (same.reshape(B, -1)[:, :T] & asked).astype(jnp.int32)
        return Batch(Sequences(inputs, jnp.full((B,), T, jnp.int32)), targets)
