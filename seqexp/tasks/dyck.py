"""Dyck languages: which bracket may be closed next?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from seqexp.tasks.synthetic import SyntheticTask, lengths_between
from seqexp.types import Array, Batch, Mean, Prediction, SeqexpError, Sequences, Sums

BRACKETS = "()[]{}<>"


@dataclass(frozen=True, kw_only=True)
class Dyck(SyntheticTask):
    """Balanced brackets of k kinds: at each step, which of them may be closed next.

    A model that says which symbols may follow (Suzgun et al.) or is asked for the closing bracket
    (Hewitt et al.) knows this and no more, for any bracket may be opened always. There is one class
    for each kind, and one for none, where all are closed. For example, with k = 2,

        inputs   ( [ ] ( ) ) [ ]
        targets  ) ] ) ) ) - ] -

    Sequences have 1 to `length` // 2 pairs, uniformly, are uniform among all that are balanced and
    at most `depth` deep, and their kinds are uniform; longer splits have the lengths above, as
    "length 2x" those above `length` up to twice as many. Of one kind it is a counter, of more a
    stack, of a bounded depth an automaton. "sequence_accuracy" is the share of sequences with no
    mistake. "most frequent class" is the best constant answer, exactly.

    Suzgun et al. 2019, "LSTM networks can perform dynamic counting",
    https://arxiv.org/abs/1906.03648 (k = 1, lengths up to 50, tested up to 100), and
    "Memory-augmented recurrent neural networks can learn generalized Dyck languages",
    https://arxiv.org/abs/1911.03329; Hewitt et al. 2020, "RNNs can generate bounded hierarchical
    languages with optimal memory", https://arxiv.org/abs/2010.07515 (depth 3 and 5). They draw by a
    grammar, so that lengths and depths are others.

    Attributes:
        length: the most brackets in training, at least 2.
        kinds: k, 1 to 4.
        depth: how many brackets may be open at once, at least 1; None for any number.

    Raises:
        SeqexpError: a size does not fit; see `SyntheticTask` for the others.
    """

    kinds: int
    depth: int | None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require("length", minimum=2)
        self.require("kinds", minimum=1)
        if self.depth is not None:
            self.require("depth", minimum=1)
        if self.kinds > len(BRACKETS) // 2:
            raise SeqexpError(f"Dyck: kinds must be 4 at most, but is {self.kinds}")

    @property
    def answer(self) -> Literal["step"]:
        return "step"

    @property
    def symbols(self) -> Sequence[str]:
        return BRACKETS[: 2 * self.kinds]

    @property
    def answers(self) -> Sequence[str]:
        return ["-", *self.symbols[1::2]]

    @property
    def baselines(self) -> Mapping[str, float]:
        closed = closed_share(self.length // 2, self._deepest(self.length // 2))
        return {"most frequent class": max(closed, (1 - closed) / self.kinds)}

    def steps(self, multiple: int) -> int:
        return multiple * self.length // 2 * 2

    def measure(self, prediction: Prediction, batch: Batch) -> Sums:
        """Cross-entropy in nats and accuracy over steps, and the share of faultless sequences."""
        asked = self.asked(batch)
        wrong = asked & (jnp.argmax(prediction.outputs, axis=-1) != batch.targets)
        there = batch.inputs.lengths > 0
        faultless = there & ~jnp.any(wrong, axis=1)
        whole = Mean(*(jnp.sum(each, dtype=jnp.float32) for each in (faultless, there)))
        return {**super().measure(prediction, batch), "sequence_accuracy": whole}

    def draw(self, key: Array, batch_size: int, multiple: int) -> Batch:
        B, T = batch_size, self.steps(multiple)
        pairs_key, opens_key, kinds_key = jax.random.split(key, 3)
        above, most = lengths_between(self.length, multiple)
        pairs = jax.random.randint(pairs_key, (B,), above // 2 + 1, most // 2 + 1, jnp.int32)
        D, lengths = self._deepest(T // 2), 2 * pairs
        opening = jnp.asarray(opening_probabilities(T, D), jnp.float32)
        rows = jnp.arange(B)

        def step(state: tuple[Array, Array], drawn: tuple[Array, ...]) -> tuple[Any, Any]:
            depth, stack = state
            t, chance, kind = drawn
            left = jnp.clip(lengths - t, 0)
            opens = chance < opening[left, depth]
            closed = stack[rows, jnp.maximum(depth - 1, 0)]
            stack = stack.at[rows, depth].set(jnp.where(opens, kind, stack[rows, depth]))
            depth = jnp.where(opens, depth + 1, jnp.maximum(depth - 1, 0))
            token = jnp.where(opens, 2 * kind, 2 * closed + 1)
            top = stack[rows, jnp.maximum(depth - 1, 0)]
            return (depth, stack), (token, jnp.where(depth > 0, top + 1, 0))

        chances = jax.random.uniform(opens_key, (T, B))
        kinds = jax.random.randint(kinds_key, (T, B), 0, self.kinds, jnp.int32)
        start = jnp.zeros((B,), jnp.int32), jnp.zeros((B, D + 1), jnp.int32)
        drawn = jnp.arange(T, dtype=jnp.int32), chances, kinds
        _, (tokens, targets) = jax.lax.scan(step, start, drawn)
        inputs = Sequences(tokens.T, lengths)
        mask = inputs.mask
        read = inputs._replace(values=jnp.where(mask, tokens.T, 0))
        return Batch(read, jnp.where(mask, targets.T, 0))

    def _deepest(self, pairs: int) -> int:
        return pairs if self.depth is None else min(self.depth, pairs)


def opening_probabilities(steps: int, depth: int) -> np.ndarray:
    """`[steps + 1, depth + 1]`: how often a bracket is opened with r steps left, d open.

    So that all sequences that end with none open, and never more than `depth`, are equally likely:

        p(r, d) = N(r - 1, d + 1) / N(r, d),   N(r, d) = N(r - 1, d + 1) + N(r - 1, d - 1)

    with N the number of ways to go on. Without a bound it is (d + 2) (r - d) / (2 r (d + 1)):
    Arnold & Sleep 1980, "Uniform random generation of balanced parenthesis strings",
    https://doi.org/10.1145/357084.357091. It is 0 where there is no way.
    """
    ways = np.zeros(depth + 3)
    ways[1] = 1  # of depth d at d + 1, so that none is below 0 or above the bound
    found = np.zeros((steps + 1, depth + 1))
    for r in range(1, steps + 1):
        up, down = ways[2:], ways[:-2]
        total = up + down
        np.divide(up, total, out=found[r], where=total > 0)
        # The ratios are all that matters, and the numbers outgrow any float.
        ways[1:-1] = total / total.max()
    return found


@cache
def closed_share(pairs: int, depth: int) -> float:
    """The share of steps behind which none is open, over sequences of 1 to `pairs` pairs.

        sum_n sum_i N(i) N(n - i) / N(n)  /  sum_n 2n,   0 < i <= n

    with N(n) the balanced sequences of n pairs that are at most `depth` deep.
    """
    ways, balanced = [1] + [0] * depth, [1]
    for step in range(1, 2 * pairs + 1):
        padded = [0, *ways, 0]
        ways = [padded[d] + padded[d + 2] for d in range(depth + 1)]
        if step % 2 == 0:
            balanced.append(ways[0])
    closed = sum(
        balanced[i] * balanced[n - i] / balanced[n]
        for n in range(1, pairs + 1)
        for i in range(1, n + 1)
    )
    return closed / (pairs * (pairs + 1))
