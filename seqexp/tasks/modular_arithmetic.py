"""Modular arithmetic: the value of an expression modulo m."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from seqexp.tasks.synthetic import SyntheticTask, lengths_between
from seqexp.types import Array, Batch, Sequences

OPERATORS = "+-*"


@dataclass(frozen=True, kw_only=True)
class ModularArithmetic(SyntheticTask):
    """The value modulo m of numbers that are added, subtracted and multiplied, without brackets.

    Numbers below m and the three operators are uniform; multiplication comes first. Lengths are odd
    and uniform from 1 to `length`; longer splits have the lengths above, as "length 2x" those above
    `length` up to twice as many. For example, with m = 5,

        inputs  0 * 1 + 4 * 3 - 2     target  0

    Products make 0 more frequent than the other values. "most frequent value" is its share, which
    is computed exactly, length by length: see `value_probabilities`.

    Delétang et al. 2022, "Neural networks and the Chomsky hierarchy", task "modular arithmetic
    (simple)", https://arxiv.org/abs/2207.02098 (lengths 1 to 40, tested on 41 to 500, m = 5). The
    language is regular: a sum and a product modulo m are all that has to be kept.

    Attributes:
        length: the most numbers and operators in training, at least 1.
        modulus: m, at least 2.

    Raises:
        SeqexpError: a size is too small; see `SyntheticTask` for the others.
    """

    modulus: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require("modulus", minimum=2)

    @property
    def answer(self) -> Literal["sequence"]:
        return "sequence"

    @property
    def symbols(self) -> Sequence[str]:
        return [*self.answers, *OPERATORS]

    @property
    def answers(self) -> Sequence[str]:
        return [str(value) for value in range(self.modulus)]

    @property
    def baselines(self) -> Mapping[str, float]:
        by_length = value_probabilities(self.modulus, (self.length + 1) // 2)
        return {"most frequent value": float(by_length.mean(0).max())}

    def steps(self, multiple: int) -> int:
        return multiple * self.length

    def draw(self, key: Array, batch_size: int, multiple: int) -> Batch:
        B, T, m = batch_size, self.steps(multiple), self.modulus
        count_key, number_key, operator_key = jax.random.split(key, 3)
        above, most = lengths_between(self.length, multiple)
        fewest, N = (above + 1) // 2 + 1, (most + 1) // 2
        counts = jax.random.randint(count_key, (B,), fewest, N + 1, jnp.int32)
        numbers = jax.random.randint(number_key, (B, N), 0, m, jnp.int32)
        operators = jax.random.randint(operator_key, (B, N), 0, len(OPERATORS), jnp.int32)
        written = jnp.stack([numbers, m + operators], axis=2).reshape(B, 2 * N)[:, :T]
        lengths = 2 * counts - 1
        inputs = Sequences(jnp.pad(written, ((0, 0), (0, T - written.shape[1]))), lengths)
        read = jnp.where(inputs.mask, inputs.values, 0)
        return Batch(inputs._replace(values=read), _values(numbers, operators, counts, m))


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
