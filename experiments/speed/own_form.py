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
from roofline import REPEATS, empty_step, product_seconds, step_seconds

from seqexp.costs.flops import count_equation
from seqexp.costs.jaxprs import called, operands

COPIES = 10


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
        sum(
            times * product_seconds(each.rows, each.inner, each.columns, devices, each.batch)
            for each, times in work.products.items()
        ),
        size * _seconds_of_a_copied_byte(devices),
        work.turns * empty_step(devices),
        work.functions * _function(devices) + work.numbers * _number(devices),
    )


def work_of(fn: Callable[..., Any], *arguments: Any) -> Work:
    """The work of `fn(*arguments)`, which is traced and not run."""
    work = Work(Counter(), 0, 0, 0)
    return _walk(jax.make_jaxpr(fn)(*arguments), 1, work)


def kept_bytes(fn: Callable[..., Any], *arguments: Any) -> int:
    """Bytes that reverse differentiation of `fn(*arguments)` keeps beside the arguments, at least.

    What is kept less the arguments' size: too little where arguments aren't needed for it.
    """
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


@functools.cache
def _seconds_of_a_copied_byte(devices: int) -> float:
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
    seconds = step_seconds(lambda i, carry: jnp.exp(-carry), carry, devices)
    return max(seconds - empty_step(devices), 0.0) / carry.size


@functools.cache
def _number(devices: int) -> float:
    """Seconds of a multiplication or an addition of a number in cache, of 16 one after another."""
    carry = jnp.zeros(2**12)

    def step(i, carry):
        for _ in range(8):
            carry = carry * 0.5 + 1.0
        return carry

    seconds = step_seconds(step, carry, devices)
    return max(seconds - empty_step(devices), 0.0) / carry.size / 16
