"""The matrix exponential of matrix products alone, which the costs can count."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jaxtyping import Float

from seqexp.recurrences.products import exact_product
from seqexp.types import Array

SMALL = 0.25
SQUARINGS = 14


def expm(x: Float[Array, "N N"]) -> Float[Array, "N N"]:
    """exp(X) by scaling and squaring (Higham 2005, https://doi.org/10.1137/04061101X).

        exp(X) = p(X / 2^s)^(2^s)           p(Y) = 1 + Y + ... + Y^12 / 12!

    with the least s at which the 1-norm of X / 2^s is at most 1/4: there p errs by less than
    float64 rounds. Unlike `jax.scipy.linalg.expm` it solves no linear system.

    Args:
        x: X `[N, N]`, of a 1-norm of at most 4096; s is at most 14.
    """
    norm = jnp.max(jnp.sum(jnp.abs(jax.lax.stop_gradient(x)), axis=0))
    s = jnp.clip(jnp.ceil(jnp.log2(jnp.maximum(norm, SMALL) / SMALL)), 0, SQUARINGS)
    y = x * jnp.exp2(-s)

    def squared(power: Array, turn: Array) -> tuple[Array, None]:
        return jax.lax.cond(turn < s, lambda p: exact_product(p, p), lambda p: p, power), None

    return jax.lax.scan(squared, _taylor(y), jnp.arange(SQUARINGS))[0]


def _taylor(y: Float[Array, "N N"]) -> Float[Array, "N N"]:
    """The first 13 terms of exp(Y), by five products (Paterson and Stockmeyer 1973)."""
    powers = [jnp.eye(len(y), dtype=y.dtype), y, exact_product(y, y)]
    cube = exact_product(powers[2], y)
    total = cube / math.factorial(12)
    for first in (9, 6, 3, 0):
        total = total + sum(p / math.factorial(first + i) for i, p in enumerate(powers))
        total = exact_product(total, cube) if first else total
    return total
