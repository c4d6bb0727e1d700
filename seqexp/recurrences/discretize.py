"""From continuous to discrete time, for diagonal systems."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
from jaxtyping import Float

from seqexp.recurrences.complex_pairs import Pair, exp, expm1, over
from seqexp.types import Array, KeyArray, SeqexpError, is_number

Discretization = Literal["zoh", "bilinear"]


class Discrete(NamedTuple):
    """x_t = a * x_{t-1} + b * u_t.

    Attributes:
        a: a pair of `[N]`.
        b: a pair of `[N]`.
    """

    a: Pair
    b: Pair


def discretize(how: Discretization, eigenvalues: Pair, dt: Float[Array, "*N"]) -> Discrete:
    """d/dt x = lambda x + u with steps of dt.

        a = exp(lambda dt),                       b = (a - 1) / lambda       "zoh"
        a = (1 + lambda dt / 2) b / dt,           b = dt / (1 - lambda dt / 2)   "bilinear"

    "zoh" is the zero-order hold: exact for inputs that are constant between steps.

    Args:
        how: "zoh" or "bilinear".
        eigenvalues: lambda, a pair of `[N]`, not 0.
        dt: broadcasts to `[N]`.
    """
    re, im = eigenvalues[0] * dt, eigenvalues[1] * dt
    if how == "zoh":
        return Discrete(exp((re, im)), over(expm1((re, im)), eigenvalues))
    below = 1 - re / 2, -im / 2
    b = over((jnp.broadcast_to(dt, re.shape), jnp.zeros_like(re)), below)
    return Discrete(over((1 + re / 2, im / 2), below), b)


def require_discretization(how: Discretization, dt_min: float, dt_max: float) -> None:
    """Raise SeqexpError for an unknown discretization or an impossible range of steps."""
    if how not in get_args(Discretization):
        raise SeqexpError(f"unknown discretization {how!r}: use zoh or bilinear")
    numbers = is_number(dt_min) and is_number(dt_max)
    if not (numbers and 0 < dt_min <= dt_max < math.inf):
        raise SeqexpError(
            f"steps need 0 < dt_min <= dt_max, not dt_min={dt_min!r} and dt_max={dt_max!r}"
        )


def log_steps(
    key: KeyArray, shape: tuple[int, ...], dt_min: float, dt_max: float
) -> Float[Array, "*N"]:
    """log dt, uniform between the logarithms of `dt_min` and `dt_max`."""
    return jax.random.uniform(key, shape, minval=math.log(dt_min), maxval=math.log(dt_max))
