"""The least time that a program takes on this machine, of parts that are measured on it.

    roofline = sum of the products' times + bytes / bandwidth + turns of loops * an empty turn

Products are those of the program's own jaxpr, each measured in its own shape. Bytes are what goes
in and comes out, and what the forward pass keeps for the backward pass, which is written and read
once; all else is counted as if it never left the registers, and functions of numbers as free. How
long those take, at the rate of a loop over numbers in cache, stands beside it.
"""

from __future__ import annotations

import functools
import math
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core
from jax.sharding import Mesh, PartitionSpec

from seqexp.costs.flops import count_equation
from seqexp.costs.jaxprs import called, operands

SECONDS, REPEATS, COPIES = 0.02, 5, 10


class Product(NamedTuple):
    """So many independent products `[rows, inner] @ [inner, columns]`."""

    batch: int
    rows: int
    inner: int
    columns: int


class Work(NamedTuple):
    """What a program does, on one device.

    Attributes:
        products: how often each is computed.
        turns: of its loops.
        functions: exponentials, logarithms, sines and the like.
        numbers: other operations on single numbers.
    """

    products: Counter[Product]
    turns: int
    functions: int
    numbers: int


class Roofline(NamedTuple):
    """Seconds of the parts; `functions` is not part of the roofline."""

    products: float
    memory: float
    turns: float
    functions: float

    @property
    def seconds(self) -> float:
        """The least time."""
        return self.products + self.memory + self.turns


def roofline(work: Work, size: int, devices: int) -> Roofline:
    """The parts' times, measured on so many devices at once.

    Args:
        work: of one device.
        size: bytes that one device reads or writes.
        devices: how many share the batch.
    """
    return Roofline(
        sum(times * _product(product, devices) for product, times in work.products.items()),
        size * _seconds_of_a_byte(devices),
        work.turns * _empty_turn(devices),
        work.functions * _function(devices) + work.numbers * _number(devices),
    )


def work_of(fn: Callable[..., Any], *arguments: Any) -> Work:
    """The work of `fn(*arguments)`, which is traced and not run."""
    work = Work(Counter(), 0, 0, 0)
    return _walk(jax.make_jaxpr(fn)(*arguments), 1, work)


def kept_bytes(fn: Callable[..., Any], *arguments: Any) -> int:
    """Bytes that reverse differentiation of `fn(*arguments)` keeps, less the arguments."""
    _, backward = jax.eval_shape(lambda *a: jax.vjp(fn, *a), *arguments)
    return max(bytes_of(backward) - bytes_of(arguments), 0)


def bytes_of(tree: Any) -> int:
    """Of all arrays in it."""
    return sum(math.prod(a.shape) * a.dtype.itemsize for a in jax.tree.leaves(tree))


def _walk(jaxpr: core.Jaxpr | core.ClosedJaxpr, times: int, work: Work) -> Work:
    for eqn in jaxpr.eqns:
        name = eqn.primitive.name
        if name == "dot_general":
            work.products[_dot(eqn)] += times
        elif name == "conv_general_dilated" and (product := _convolution(eqn)) is not None:
            work.products[product] += times
        elif name == "scan":
            length = eqn.params["length"]
            work = work._replace(turns=work.turns + times * length)
            work = _walk(eqn.params["jaxpr"], times * length, work)
        elif (inner := called(eqn)) is not None:
            work = _walk(inner, times, work)
        else:
            flops = count_equation(eqn)
            work = work._replace(
                functions=work.functions + times * flops.transcendental,
                numbers=work.numbers + times * (flops.elementwise + flops.conv),
            )
    return work


def _dot(eqn: core.JaxprEqn) -> Product:
    (contracted, _), (batch, _) = eqn.params["dimension_numbers"]
    left, right = operands(eqn)
    together = math.prod(left.shape[axis] for axis in batch)
    inner = math.prod(left.shape[axis] for axis in contracted)
    return Product(together, left.size // together // inner, inner, right.size // together // inner)


def _convolution(eqn: core.JaxprEqn) -> Product | None:
    """A product where all outputs read all inputs; None where each reads one alone."""
    if eqn.params["feature_group_count"] > 1 or eqn.params["batch_group_count"] > 1:
        return None
    kernel, out = operands(eqn)[1], eqn.outvars[0].aval
    columns = kernel.shape[eqn.params["dimension_numbers"].rhs_spec[0]]
    return Product(1, out.size // columns, kernel.size // columns, columns)


def _product(product: Product, devices: int) -> float:
    batch, rows, inner, columns = product
    return min(
        _one_product(batch, rows, inner, columns, devices),
        _one_product(batch, columns, inner, rows, devices),
    )


@functools.cache
def _one_product(batch: int, rows: int, inner: int, columns: int, devices: int) -> float:
    """Seconds of one product within a loop, without the loop's own.

    The smaller operand changes from turn to turn, so that XLA cannot move the product out of the
    loop; the result is the loop's carry, so that it cannot be left out.
    """
    rng = np.random.default_rng(0)
    turn_left = rows <= columns
    left = rng.normal(size=(2 if turn_left else 1, batch, rows, inner)).astype(np.float32)
    right = rng.normal(size=(1 if turn_left else 2, batch, inner, columns)).astype(np.float32)
    if batch == 1:
        left, right = left[:, 0], right[:, 0]

    def turn(i, carry, left, right):
        a = jax.lax.dynamic_index_in_dim(left, i % left.shape[0], keepdims=False)
        b = jax.lax.dynamic_index_in_dim(right, i % right.shape[0], keepdims=False)
        return a @ b

    carry = jnp.zeros((batch, rows, columns) if batch > 1 else (rows, columns))
    return max(_turn_seconds(turn, carry, devices, left, right) - _empty_turn(devices), 0.0)


@functools.cache
def _empty_turn(devices: int) -> float:
    """Seconds of a loop's turn that does next to nothing, with 2 kB of carry."""
    return _turn_seconds(lambda i, carry: carry + 1, jnp.zeros(512), devices)


@functools.cache
def _seconds_of_a_byte(devices: int) -> float:
    """Seconds of a byte read or written where arrays of 32 MiB are copied, one on each device."""
    arrays = [np.ones((2, 2**23), np.float32) for _ in range(devices)]

    def copy(pair: np.ndarray) -> None:
        for _ in range(COPIES):
            np.copyto(pair[0], pair[1])

    with ThreadPoolExecutor(devices) as threads:

        def seconds() -> float:
            start = time.perf_counter()
            list(threads.map(copy, arrays))
            return time.perf_counter() - start

        return median(seconds() for _ in range(REPEATS)) / COPIES / arrays[0].nbytes


@functools.cache
def _function(devices: int) -> float:
    """Seconds of an exponential of a number in cache."""
    carry = jnp.zeros(2**12)
    seconds = _turn_seconds(lambda i, carry: jnp.exp(-carry), carry, devices)
    return max(seconds - _empty_turn(devices), 0.0) / carry.size


@functools.cache
def _number(devices: int) -> float:
    """Seconds of a multiplication or an addition of a number in cache, of 16 one after another."""
    carry = jnp.zeros(2**12)

    def turn(i, carry):
        for _ in range(8):
            carry = carry * 0.5 + 1.0
        return carry

    seconds = _turn_seconds(turn, carry, devices)
    return max(seconds - _empty_turn(devices), 0.0) / carry.size / 16


def _turn_seconds(turn: Callable[..., Any], carry: Any, devices: int, *arguments: Any) -> float:
    """Seconds of `carry = turn(i, carry, *arguments)`, on so many devices at once."""

    def loop(count, carry, *arguments):
        return jax.lax.fori_loop(0, count, lambda i, c: turn(i, c, *arguments), carry)

    mesh = Mesh(np.asarray(jax.local_devices()[:devices]), ("batch",))
    everywhere = PartitionSpec()
    program = jax.jit(
        jax.shard_map(loop, mesh=mesh, in_specs=everywhere, out_specs=everywhere, check_vma=False)
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
