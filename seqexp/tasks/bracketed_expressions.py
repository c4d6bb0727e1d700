"""Arithmetic expressions with brackets around every operation: how they are drawn and written."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from seqexp.tasks.synthetic import choose
from seqexp.types import Array, Sequences

OPERATIONS = (np.add, np.subtract, np.multiply)


def bracketed_expressions(
    key: Array, numbers: Array, operators: Array, counts: Array, modulus: int, most: int
) -> tuple[Sequences, Array]:
    """Written expressions, and their values modulo m.

    The operation that is done last is uniform among all of an expression, and so on within both of
    its sides. That is how operations that are done in a random order nest: each combines all that
    stands between the next ones, on its left and its right, that are done later.

    Args:
        key: draws the order.
        numbers: `[B, N]` below m, N at least 2.
        operators: `[B, N - 1]`, 0 to 2 for + - *, each behind the number of its place.
        counts: `[B]` int32, how many of the numbers there are.
        modulus: m.
        most: T, at least 4 N - 3.

    Returns:
        Inputs `[B, T]`, m to m + 2 for the operators, m + 3 and m + 4 for brackets; `[B]` values.
    """
    B, N = numbers.shape
    i = jnp.arange(N - 1)
    there = i < counts[:, None] - 1
    # Those beyond the last number are done later than all others, and so bound them.
    rank = jnp.where(there, choose(key, B, N - 1, N - 1), N + i)
    later = rank[:, None, :] > rank[:, :, None]
    first = jnp.max(jnp.where(later & (i < i[:, None]), i + 1, 0), axis=2)
    last = jnp.min(jnp.where(later & (i > i[:, None]), i, N - 1), axis=2)
    inputs = _written(numbers, operators, counts, first, last, modulus, most)
    return inputs, _values(numbers, operators, there, rank, first, last, modulus)


def _written(
    numbers: Array,
    operators: Array,
    counts: Array,
    first: Array,
    last: Array,
    modulus: int,
    most: int,
) -> Sequences:
    """Number k stands behind k numbers and operators, its opening brackets and all before them."""
    B, N = numbers.shape
    k = jnp.arange(N)
    there = k[:-1] < counts[:, None] - 1
    opens, closes = (
        jnp.sum(there[:, :, None] & (end[:, :, None] == k), axis=1, dtype=jnp.int32)
        for end in (first, last)
    )
    place = 2 * k + jnp.cumsum(opens, axis=1) + jnp.cumsum(closes, axis=1) - closes
    behind = jnp.arange(most)[:, None] - place[:, None, :]  # [B, T, N]
    closing = jnp.any((behind > 0) & (behind <= closes[:, None, :]), axis=2)
    written = jnp.where(closing, modulus + 4, modulus + 3)
    rows = jnp.arange(B)[:, None]
    # What is beyond the last number has no place, and is dropped.
    of_number = jnp.where(k < counts[:, None], place, most)
    of_operator = jnp.where(there, (place + closes + 1)[:, :-1], most)
    written = written.at[rows, of_number].set(numbers, mode="drop")
    written = written.at[rows, of_operator].set(modulus + operators, mode="drop")
    inputs = Sequences(written.astype(jnp.int32), 4 * counts - 3)
    return inputs._replace(values=jnp.where(inputs.mask, inputs.values, 0))


def _values(
    numbers: Array,
    operators: Array,
    there: Array,
    rank: Array,
    first: Array,
    last: Array,
    modulus: int,
) -> Array:
    """`[B]`: operations one after another, all numbers of a side standing at its value."""
    k, rows = jnp.arange(numbers.shape[1]), jnp.arange(len(numbers))

    def combine(values: Array, i: Array) -> tuple[Array, Any]:
        a, b = values[rows, i], values[rows, i + 1]
        value = jnp.stack([a + b, a - b, a * b])[operators[rows, i], rows] % modulus
        inside = (first[rows, i, None] <= k) & (k <= last[rows, i, None])
        return jnp.where(inside & there[rows, i, None], value[:, None], values), None

    values, _ = jax.lax.scan(combine, numbers, jnp.argsort(rank, axis=1).T)
    return values[:, 0]


def bracketed_value_probabilities(modulus: int, most: int) -> np.ndarray:
    """`[most, m]`: how likely each value is, of expressions of 1 to `most` numbers.

    P_n(z) = mean over 0 < k < n and the operations of  sum_{x op y = z} P_k(x) P_{n-k}(y)
    """
    x, y = np.indices((modulus, modulus))
    found = [np.full(modulus, 1 / modulus)]
    for n in range(2, most + 1):
        value = np.zeros(modulus)
        pairs = sum(np.outer(found[k - 1], found[n - k - 1]) for k in range(1, n)) / (n - 1)
        for operation in OPERATIONS:
            np.add.at(value, operation(x, y) % modulus, pairs / len(OPERATIONS))
        found.append(value)
    return np.array(found)
