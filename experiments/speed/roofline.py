"""The least time that a case can take on this machine, from parts measured on it.

    limit = sum of the products' times + bytes / bandwidth + scan steps * an empty step

Gates are counted as free, so the limit can be neared but hardly reached.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from statistics import median
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec
from shapes import GATES, Case

SECONDS, REPEATS = 0.02, 5
FEW = 8
KEPT = {"LSTM": 2, "GRU": 1, "GRU before": 1, "RNN": 1}
"""Arrays `[B, H]` that the backward pass needs of each step: h, and an LSTM's c."""


class Product(NamedTuple):
    """`[rows, inner] @ [inner, columns]`, so many times one after another."""

    rows: int
    inner: int
    columns: int
    times: int


def limit(case: Case, devices: int) -> float:
    """Seconds that a case takes at least.

    Args:
        case: with full lengths.
        devices: how many share the batch; the parts are measured on all of them at once.
    """
    rows = case.shape.batch // devices
    total = sum(_fastest(choice, devices) for choice in products(case, rows))
    total += traffic(case, rows) * _seconds_of_a_byte(traffic(case, rows), devices)
    passes = 2 if case.backward else 1
    return total + case.layers * passes * case.shape.time * empty_step(devices)


def products(case: Case, rows: int) -> list[tuple[Product, ...]]:
    """Every product of a case over so many rows of the batch; each as the ways to compute it.

    With N = gates * H. What need not wait for the recurrence is one product over all steps; or,
    where a side is so short that memory bounds it, one a step if that is faster.
    """
    time, hidden = case.shape.time, case.shape.hidden
    wide = GATES[case.cell] * hidden
    found: list[tuple[Product, ...]] = []
    for features in case.inputs:
        bound = _recurrent(case, rows)
        # One step's shape, and which of its sides grows by T where all steps are taken at once.
        free = [((rows, features, wide), 0)]
        if case.backward:
            # x^T dpre, dpre W^T and h^T dpre.
            free += [((features, rows, wide), 1), ((rows, wide, features), 0)]
            free += [((k, rows, n), 1) for _, k, n in bound]
            # dpre U^T.
            bound += [(m, n, k) for m, k, n in bound]
        own = [_at_once_or_by_step(shape, side, time) for shape, side in free]
        own += [(Product(*shape, time),) for shape in bound]
        found += own * case.directions
    return found


def traffic(case: Case, rows: int) -> int:
    """Bytes that are read or written outside of the products.

    Forward, h is written; with the backward pass, what it needs of each step is written and read,
    and the outputs' gradient is read.
    """
    arrays = 2 * KEPT[case.cell] + 1 if case.backward else 1
    entries = case.shape.time * rows * case.shape.hidden
    return 4 * arrays * entries * case.layers * case.directions


def _recurrent(case: Case, rows: int) -> list[tuple[int, int, int]]:
    hidden = case.shape.hidden
    if case.cell == "GRU before":
        return [(rows, hidden, 2 * hidden), (rows, hidden, hidden)]
    return [(rows, hidden, GATES[case.cell] * hidden)]


def _at_once_or_by_step(shape: tuple[int, int, int], side: int, time: int) -> tuple[Product, ...]:
    rows, inner, columns = (n * time if i == side else n for i, n in enumerate(shape))
    at_once, by_step = Product(rows, inner, columns, 1), Product(*shape, time)
    return (at_once, by_step) if min(shape) <= FEW else (at_once,)


def _fastest(choice: tuple[Product, ...], devices: int) -> float:
    return min(
        product.times * product_seconds(m, k, n, devices)
        for product in choice
        for m, k, n in [product[:3]]
    )


def product_seconds(rows: int, inner: int, columns: int, devices: int, batch: int = 1) -> float:
    """Seconds of `[rows, inner] @ [inner, columns]`, or of its transpose if that is faster.

    Args:
        rows: of the left side.
        inner: what is summed over.
        columns: of the right side.
        devices: how many compute one each, at once.
        batch: how many independent products are one.
    """
    return min(
        _product(rows, inner, columns, devices, batch),
        _product(columns, inner, rows, devices, batch),
    )


@functools.cache
def _product(rows: int, inner: int, columns: int, devices: int, batch: int) -> float:
    """Seconds of one product within a loop, without the loop's own.

    The smaller operand changes from step to step, so that XLA cannot move the product out of the
    loop; the result is the loop's carry, so that it cannot be left out.
    """
    rng = np.random.default_rng(0)
    turn_left = rows <= columns
    many = () if batch == 1 else (batch,)
    left = rng.normal(size=(2 if turn_left else 1, *many, rows, inner)).astype(np.float32)
    right = rng.normal(size=(1 if turn_left else 2, *many, inner, columns)).astype(np.float32)

    def step(i, carry, left, right):
        a = jax.lax.dynamic_index_in_dim(left, i % left.shape[0], keepdims=False)
        b = jax.lax.dynamic_index_in_dim(right, i % right.shape[0], keepdims=False)
        return a @ b

    seconds = step_seconds(step, jnp.zeros((*many, rows, columns)), devices, left, right)
    return max(seconds - empty_step(devices), 0.0)


@functools.cache
def empty_step(devices: int) -> float:
    """Seconds of a loop's step that does next to nothing.

    With 2 kB of carry: XLA's CPU compiler makes one kernel of loops over less than 1 kB, as it
    never can of a loop with a product.
    """
    return step_seconds(lambda i, carry: carry + 1, jnp.zeros(512), devices)


@functools.cache
def _seconds_of_a_byte(size: int, devices: int) -> float:
    """Seconds of a byte read or written where as many are, half of them each."""
    entries = max(size // 8, 1)
    seconds = step_seconds(lambda i, carry: carry + 1, jnp.zeros(entries), devices)
    return max(seconds - empty_step(devices), 0.0) / (8 * entries)


def step_seconds(step: Callable[..., Any], carry: Any, devices: int, *arguments: Any) -> float:
    """Seconds of a step of `carry = step(i, carry, *arguments)`, on so many devices at once."""

    def loop(count, carry, *arguments):
        return jax.lax.fori_loop(0, count, lambda i, c: step(i, c, *arguments), carry)

    if devices == 1:
        program = jax.jit(loop)
    else:
        mesh = Mesh(np.asarray(jax.local_devices()[:devices]), ("batch",))
        everywhere = PartitionSpec()
        program = jax.jit(
            jax.shard_map(
                loop, mesh=mesh, in_specs=everywhere, out_specs=everywhere, check_vma=False
            )
        )

    def seconds(count: int) -> float:
        start = time.perf_counter()
        jax.block_until_ready(program(count, carry, *arguments))
        return time.perf_counter() - start

    seconds(1)
    count = 1
    while (taken := seconds(count)) < SECONDS / 4:
        count *= 4
    count = max(1, round(count * SECONDS / taken))
    return median(seconds(count) for _ in range(REPEATS)) / count
