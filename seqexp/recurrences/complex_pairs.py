"""Complex numbers as pairs of real ones: complex dtypes compile much slower."""

from __future__ import annotations

import jax.numpy as jnp

from seqexp.types import Array

Pair = tuple[Array, Array]
"""Real and imaginary parts."""


def times(x: Pair, y: Pair) -> Pair:
    """x y."""
    (a, b), (c, d) = x, y
    return a * c - b * d, a * d + b * c


def over(x: Pair, y: Pair) -> Pair:
    """x / y, for y that is not 0."""
    size = y[0] * y[0] + y[1] * y[1]
    re, im = times(x, (y[0], -y[1]))
    return re / size, im / size


def exp(z: Pair) -> Pair:
    """e^z."""
    size = jnp.exp(z[0])
    return size * jnp.cos(z[1]), size * jnp.sin(z[1])


def expm1(z: Pair) -> Pair:
    """e^z - 1, exact near 0: expm1(x) cos y - 2 sin(y / 2)^2 + i e^x sin y."""
    half = jnp.sin(z[1] / 2)
    return jnp.expm1(z[0]) * jnp.cos(z[1]) - 2 * half * half, jnp.exp(z[0]) * jnp.sin(z[1])
