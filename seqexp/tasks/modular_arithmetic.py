"""Modular arithmetic: the value of an expression modulo m."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from seqexp.tasks.bracketed_expressions import (
    bracketed_expressions,
    bracketed_value_probabilities,
)
from seqexp.tasks.synthetic import SyntheticTask, lengths_between
from seqexp.types import Array, Batch, Sequences

OPERATORS = "+-*"


@dataclass(frozen=True, kw_only=True)
class ModularArithmetic(SyntheticTask):
    """The value modulo m of numbers that are added, subtracted and multiplied.

    Numbers below m and the three operators are uniform. Without brackets multiplication comes
    first, with them each operation is in brackets of its own, and the one that is done last is
    uniform, of the whole and of each side. Lengths are 1, 3, 5, ... (with brackets 1, 5, 9, ...) up
    to `length`, uniformly; longer splits have the lengths above, as "length 2x" those above
    `length` up to twice as many. For example, with m = 5,

        inputs  0 * 1 + 4 * 3 - 2              target  0
        inputs  ( ( 0 - 1 ) * ( 4 + 3 ) )      target  3

    Products make 0 more frequent than the other values. "most frequent value" is its share, which
    is computed exactly, length by length: see `value_probabilities`.

    Delétang et al. 2022, "Neural networks and the Chomsky hierarchy", tasks "modular arithmetic
    (simple)" and "modular arithmetic", https://arxiv.org/abs/2207.02098 (lengths 1 to 40, tested on
    41 to 500, m = 5). Without brackets the language is regular: a sum and a product modulo m are
    all that has to be kept. With them it is deterministic context-free and asks for a stack; the
    paper's has signs of numbers, too, which these have not.

    Attributes:
        length: the most symbols in training, at least 1; where longer ones are tested at least 2,
            and 3 with brackets.
        modulus: m, at least 2.
        brackets: whether there are brackets; None for False.

    Raises:
        SeqexpError: a size is too small; see `SyntheticTask` for the others.
    """

    modulus: int = 5
    brackets: bool | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        # So that there is a length between this and its double.
        least = 3 if self.brackets else 2
        self.require("length", minimum=1 if self.longest == 1 else least)
        self.require("modulus", minimum=2)

    @property
    def answer(self) -> Literal["sequence"]:
        return "sequence"

    @property
    def symbols(self) -> Sequence[str]:
        return [*self.answers, *OPERATORS, *("()" if self.brackets else "")]

    @property
    def answers(self) -> Sequence[str]:
        return [str(value) for value in range(self.modulus)]

    @property
    def baselines(self) -> Mapping[str, float]:
        probabilities = bracketed_value_probabilities if self.brackets else value_probabilities
        by_length = probabilities(self.modulus, self._counts(1).stop - 1)
        return {"most frequent value": float(by_length.mean(0).max())}

    def steps(self, multiple: int) -> int:
        return multiple * self.length

    def draw(self, key: Array, batch_size: int, multiple: int) -> Batch:
        B, T, m = batch_size, self.steps(multiple), self.modulus
        count_key, number_key, operator_key = jax.random.split(key, 3)
        among = self._counts(multiple)
        N = among.stop - 1
        counts = jax.random.randint(count_key, (B,), among.start, among.stop, jnp.int32)
        numbers = jax.random.randint(number_key, (B, N), 0, m, jnp.int32)
        operators = jax.random.randint(operator_key, (B, N), 0, len(OPERATORS), jnp.int32)
        if self.brackets and N > 1:
            order_key = jax.random.fold_in(key, 0)
            return Batch(
                *bracketed_expressions(order_key, numbers, operators[:, : N - 1], counts, m, T)
            )
        written = jnp.stack([numbers, m + operators], axis=2).reshape(B, 2 * N)[:, :T]
        lengths = 2 * counts - 1
        inputs = Sequences(jnp.pad(written, ((0, 0), (0, T - written.shape[1]))), lengths)
        read = jnp.where(inputs.mask, inputs.values, 0)
        return Batch(inputs._replace(values=read), _values(numbers, operators, counts, m))

    def _counts(self, multiple: int) -> range:
        """How many numbers there are in sequences of a multiple of `length`."""
        more = 4 if self.brackets else 2  # symbols for each number but the first
        above, most = lengths_between(self.length, multiple)
        return range((above - 1) // more + 2, (most - 1) // more + 2)


def _values(numbers: Array, operators: Array, counts: Array, modulus: int) -> Array:
    """`[B]` values of the first numbers of `[B, N]`; an operator stands behind its number."""

    def read(state: tuple[Array, Array], step: tuple[Array, ...]) -> tuple[Any, None]:
        total, term = state
        i, number, operator = step
        times, sign = operator == 2, jnp.where(operator == 1, -1, 1)
        new_total = jnp.where(times, total, total + term) % modulus
        new_term = jnp.where(times, term, sign) * number % modulus
        known = i < counts
        return (jnp.where(known, new_total, total), jnp.where(known, new_term, term)), None

    steps = jnp.arange(1, numbers.shape[1], dtype=jnp.int32)
    start = jnp.zeros_like(counts), numbers[:, 0]
    (total, term), _ = jax.lax.scan(read, start, (steps, numbers.T[1:], operators.T[:-1]))
    return (total + term) % modulus


def value_probabilities(modulus: int, most: int) -> np.ndarray:
    """`[most, m]`: how likely each value is, of expressions of 1 to `most` numbers.

    By the probabilities of all pairs of the sum so far and the last term:

        P(s, x) = [s = 0] / m;  P'(s + p, +-x) += P(s, p) / 3m,  P'(s, p x) += P(s, p) / 3m
    """
    m = modulus
    sums, terms, numbers = np.indices((m, m, m))
    state = np.zeros((m, m))
    state[0] = 1 / m
    found = []
    for _ in range(most):
        value = np.zeros(m)
        np.add.at(value, np.add.outer(np.arange(m), np.arange(m)) % m, state)
        found.append(value)
        share = np.broadcast_to(state[..., None], (m, m, m)) / (len(OPERATORS) * m)
        state = np.zeros((m, m))
        added = (sums + terms) % m
        np.add.at(state, (added, numbers), share)
        np.add.at(state, (added, -numbers % m), share)
        np.add.at(state, (sums, terms * numbers % m), share)
    return np.array(found)
