"""Multi-query associative recall: say the value that stood behind a key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp

from seqexp.tasks.synthetic import SyntheticTask, choose
from seqexp.types import Array, Batch, SeqexpError, Sequences

NOTHING = 0
"""The token that is no key, and the label of steps where nothing is asked."""


@dataclass(frozen=True, kw_only=True)
class AssociativeRecall(SyntheticTask):
    """N pairs of a key and a value, then each key once more: what was its value?

    The tokens below V // 2, but 0, are keys, the others values. N different keys and N different
    values make the pairs. Behind them each key comes once at an even place of its own; the further
    off the less likely: among the p = 1, 2, ... such places it is drawn with a probability in
    proportion to p^(a - 1), without replacement. All other steps hold random tokens, or 0. Nothing
    is asked there. For example, with V = 12, N = 2, length = 16 and no random tokens:

                 key value  key value            key                             key
        inputs   2   8      4   7      0  0      4  0  0  0  0  0  0  0  2  0
        targets                                  7                       8

    Longer sequences have as many pairs and further to remember them. Guessing among the values has
    an accuracy of 1 / (V - V // 2), and among those of the sequence of 1 / N.

    Arora et al. 2023, "Zoology: Measuring and improving recall in efficient language models",
    https://arxiv.org/abs/2312.04927 (length 64 with N = 4 to length 512 with N = 64, V = 8192,
    a = 0.01, random tokens).

    Attributes:
        length: T, even, at least 4 N.
        pairs: N, at least 1.
        vocabulary: V, so that there are N keys and N values: at least 2 N + 2.
        power: a, above 0; 1 for places that are all alike.
        random_tokens: whether steps that ask nothing hold random tokens of all V.

    Raises:
        SeqexpError: a size does not fit; see `SyntheticTask` for the others.
    """

    pairs: int
    vocabulary: int
    power: float = 0.01
    random_tokens: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require("pairs", minimum=1)
        self.require("vocabulary", minimum=2 * self.pairs + 2)
        self.require("length", minimum=4 * self.pairs)
        if self.length % 2:
            raise SeqexpError(f"AssociativeRecall: length must be even, but is {self.length}")
        if not self.power > 0:
            raise SeqexpError(f"AssociativeRecall: power must be above 0, but is {self.power!r}")

    @property
    def answer(self) -> Literal["step"]:
        return "step"

    @property
    def symbols(self) -> Sequence[str]:
        return [str(token) for token in range(self.vocabulary)]

    @property
    def answers(self) -> Sequence[str]:
        return self.symbols

    @property
    def baselines(self) -> Mapping[str, float]:
        values = self.vocabulary - self.vocabulary // 2
        return {"chance": 1 / values, "a value of the sequence": 1 / self.pairs}

    def steps(self, multiple: int) -> int:
        return multiple * self.length

    def asked(self, batch: Batch) -> Array:
        """The steps of the keys that come again."""
        return batch.inputs.mask & (batch.targets != NOTHING)

    def draw(self, key: Array, batch_size: int, multiple: int) -> Batch:
        B, N, T, V = batch_size, self.pairs, multiple * self.length, self.vocabulary
        keys_key, values_key, places_key, others_key = jax.random.split(key, 4)
        keys = 1 + choose(keys_key, B, V // 2 - 1, N)
        values = V // 2 + choose(values_key, B, V - V // 2, N)
        pairs = jnp.stack([keys, values], axis=2).reshape(B, 2 * N)
        # The largest of log p + Gumbel noise are a draw by p without replacement, in its order.
        space = T // 2 - N
        log_p = (self.power - 1) * jnp.log(jnp.arange(1, space + 1, dtype=jnp.float32))
        noisy = log_p + jax.random.gumbel(places_key, (B, space))
        places = 2 * N + 2 * jax.lax.top_k(noisy, N)[1]
        rows = jnp.arange(B)[:, None]
        queries = jnp.zeros((B, T), jnp.int32).at[rows, places].set(keys)
        targets = jnp.zeros((B, T), jnp.int32).at[rows, places].set(values)
        others = jnp.zeros((B, T), jnp.int32)
        if self.random_tokens:
            others = jax.random.randint(others_key, (B, T), 0, V, jnp.int32)
        inputs = jnp.where(queries > 0, queries, others).at[:, : 2 * N].set(pairs)
        return Batch(Sequences(inputs, jnp.full((B,), T, jnp.int32)), targets)
