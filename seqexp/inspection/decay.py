"""Curves of gradient norms against the lag, and the rate at which they decay."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Bool, Float, Int

from seqexp.types import Array


class LagCurve(NamedTuple):
    """Norms against the lag, over the sequences of a batch.

    Attributes:
        lags: `[T]`, 1 .. T.
        mean: `[T]`, the arithmetic mean; NaN where not `known`.
        quantiles: `[Q, T]`; NaN where not `known`.
        count: `[T]`, how many answers there are at a lag.
        known: `[T]`, True where they are at least as many as was asked for.
    """

    lags: Int[Array, " T"]
    mean: Float[Array, " T"]
    quantiles: Float[Array, "Q T"]
    count: Int[Array, " T"]
    known: Bool[Array, " T"]


def lag_curve(
    norms: Float[Array, "*N T"],
    valid: Bool[Array, "*N T"],
    *,
    quantiles: tuple[float, ...] = (0.1, 0.5, 0.9),
    fewest: int = 1,
) -> LagCurve:
    """Mean and quantiles over answers and sequences of what `gradient_by_lag` gives.

    Args:
        norms: `[..., T]`.
        valid: `[..., T]`, where there is one.
        quantiles: Q of them, from 0 to 1.
        fewest: how many there must be at a lag.

    >>> curve = lag_curve(jnp.array([[4.0, 2.0], [2.0, 0.0]]), jnp.array([[1, 1], [1, 0]], bool))
    >>> curve.mean.tolist(), curve.count.tolist()
    ([3.0, 2.0], [2, 1])
    """
    steps = norms.shape[-1]
    norms, valid = norms.reshape(-1, steps), valid.reshape(-1, steps)
    count = jnp.sum(valid, axis=0)
    known = count >= max(fewest, 1)
    mean = jnp.sum(jnp.where(valid, norms, 0), axis=0) / jnp.maximum(count, 1)
    levels = jnp.asarray(quantiles, norms.dtype)
    spread = jnp.nanquantile(jnp.where(valid, norms, jnp.nan), levels, axis=0)
    return LagCurve(
        1 + jnp.arange(steps),
        jnp.where(known, mean, jnp.nan),
        jnp.where(known, spread, jnp.nan),
        count,
        known,
    )


class Decay(NamedTuple):
    """A fitted exponential, norm(k) = exp(intercept + rate k).

    Attributes:
        rate: the slope of the log norm, nats a step: negative where gradients vanish.
        intercept: the log norm at lag 0.
        half_life: steps in which the norm halves, log 2 / -rate; infinite where it doesn't.
        doubling: steps in which it doubles, log 2 / rate; infinite where it doesn't.
        explained: the share of the log norms' variance that the line explains (R^2); 1 where they
            do not vary.
        points: how many norms were fitted. With fewer than two lags, all else is NaN.
    """

    rate: Float[Array, ""]
    intercept: Float[Array, ""]
    half_life: Float[Array, ""]
    doubling: Float[Array, ""]
    explained: Float[Array, ""]
    points: Int[Array, ""]


def fit_decay(norms: Float[Array, "*N T"], valid: Bool[Array, "*N T"]) -> Decay:
    """The decay of norms with the lag, by least squares.

        rate, intercept = argmin sum over n and k of (log norms[n, k] - intercept - rate k)^2

    over every answer, sequence and lag k = 1 .. T that is valid, each weighing the same. Norms that
    are 0, not finite, or so small that rounding distorts them (below 1e-31 in float32) are left
    out, as they have no log.

    Args:
        norms: `[..., T]`, at the lags 1 .. T.
        valid: `[..., T]`, where there is one.

    >>> norms = 0.5 ** jnp.arange(1.0, 9.0)
    >>> fit = fit_decay(norms, norms > 0)
    >>> describe_decay(fit.rate), round(float(fit.half_life), 3)
    ('half-life 1 step', 1.0)
    """
    kinds = jnp.finfo(norms.dtype)
    used = valid & (norms > kinds.tiny / kinds.eps) & jnp.isfinite(norms)
    weight = used.astype(norms.dtype)
    points = jnp.sum(used)
    total = jnp.maximum(points, 1).astype(norms.dtype)
    lags = jnp.broadcast_to(1 + jnp.arange(norms.shape[-1]), norms.shape).astype(norms.dtype)
    logs = jnp.log(jnp.where(used, norms, 1))
    mean_lag, mean_log = jnp.sum(weight * lags) / total, jnp.sum(weight * logs) / total
    k, y = weight * (lags - mean_lag), weight * (logs - mean_log)
    several = jnp.sum(k * k) > 0
    rate = jnp.where(several, jnp.sum(k * y) / jnp.where(several, jnp.sum(k * k), 1), jnp.nan)
    variance = jnp.sum(y * y)
    left = jnp.sum(jnp.square(y - rate * k))
    explained = jnp.where(variance > 0, 1 - left / jnp.where(variance > 0, variance, 1), 1)
    explained = jnp.where(several, explained, jnp.nan)

    def steps_of(rate: Array) -> Array:
        """To double at this rate; infinite if it is not positive."""
        steps = jnp.log(2.0) / jnp.where(rate > 0, rate, 1)
        return jnp.where(jnp.isnan(rate), jnp.nan, jnp.where(rate > 0, steps, jnp.inf))

    return Decay(
        rate, mean_log - rate * mean_lag, steps_of(-rate), steps_of(rate), explained, points
    )


def describe_decay(rate: float | Array) -> str:
    """A rate of `fit_decay` in words, to two digits.

    >>> describe_decay(-0.1), describe_decay(0.1), describe_decay(0.0)
    ('half-life 6.9 steps', 'doubles every 6.9 steps', 'neither decays nor grows')
    """
    value = float(rate)
    if value != value:
        return "no decay could be fitted"
    if abs(value) < RATE_OF_NONE:
        return "neither decays nor grows"
    steps = f"{float(jnp.log(2.0)) / abs(value):.2g}"
    steps = f"{float(steps):,.12g} {'step' if steps == '1' else 'steps'}"
    return f"half-life {steps}" if value < 0 else f"doubles every {steps}"


def without_decay(numbers: Mapping[str, float]) -> list[str]:
    """The layers whose gradient does not decay with the lag: their half-life is infinite, which a
    record, where both are null, can't tell from one that is unknown.

    Args:
        numbers: of an inspection, "half_life/LAYER" among them.

    >>> inf, nan = float("inf"), float("nan")
    >>> without_decay({"half_life/a": inf, "half_life/b": nan, "half_life/c": 2.0, "dead/a": inf})
    ['a']
    """
    kind = "half_life/"
    infinite = (name for name, value in numbers.items() if value == float("inf"))
    return [name.removeprefix(kind) for name in infinite if name.startswith(kind)]


RATE_OF_NONE = 1e-6
"""Nats a step below which words say that nothing changes: a factor of 2 in 700,000 steps."""
