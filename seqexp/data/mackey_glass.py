"""The Mackey-Glass series: chaos of one equation with a delay.

It is computed by additions, multiplications and divisions of Python's floats alone, which give the
same bits on every machine; powers of the C library don't, and chaos makes that visible.
"""

from __future__ import annotations

import numpy as np

from seqexp.types import SeqexpError

TRANSIENT = 1000
"""Units of time before the series begins."""


def mackey_glass(seed: int, steps: int, tau: int = 17, substeps: int = 10) -> np.ndarray:
    """Mackey-Glass series, a value a unit of time, after 1000 units that are left out.

        dx/dt = 0.2 x(t - tau) / (1 + x(t - tau)^10) - 0.1 x(t),   x(t) = x_0 for t <= 0

    with x_0 uniform in [0.5, 1.5), by `mackey_glass_path`. Chaotic from tau = 16.8; 17 and 30 are
    common. Mackey and Glass 1977, "Oscillation and chaos in physiological control systems",
    https://doi.org/10.1126/science.267326.

    Args:
        seed: draws x_0.
        steps: T, at least 1.
        tau: the delay, in units of time.
        substeps: integration steps a unit.

    Returns:
        `[T]` float64.

    >>> mackey_glass(seed=0, steps=500).shape
    (500,)
    """
    if steps < 1:
        raise SeqexpError(f"a series has at least 1 step, not {steps}")
    start = 0.5 + np.random.default_rng(seed).random()
    path = mackey_glass_path(start, TRANSIENT + steps, tau, substeps)
    return path[::substeps][-steps:]


def mackey_glass_path(start: float, duration: int, tau: int, substeps: int) -> np.ndarray:
    """The solution from a constant history, at every integration step h = 1 / substeps.

    Runge-Kutta of order 4. What it asks of the past between two steps is that of the cubic Hermite
    polynomial, x(t + h/2) = (x(t) + x(t + h)) / 2 + h (x'(t) - x'(t + h)) / 8, so that the order
    stays 4.

    Args:
        start: x_0.
        duration: units of time.
        tau: the delay, a whole number of units, so that its kinks fall on integration steps.
        substeps: a unit.

    Returns:
        `[duration * substeps + 1]` float64; place k is x(k h).
    """
    if tau < 1:
        raise SeqexpError(f"the delay tau is a whole number of at least 1, not {tau}")
    if duration < 1 or substeps < 1:
        raise SeqexpError(
            f"the duration and substeps are at least 1, not {duration} and {substeps}"
        )
    h, delay = 1 / substeps, tau * substeps
    x, slopes = [start], []
    for k in range(duration * substeps):
        at, now = k - delay, x[k]
        before = x[at] if at >= 0 else start
        after = x[at + 1] if at >= -1 else start
        k1 = _slope(now, before)
        slopes.append(k1)
        middle = start
        if at >= 0:
            middle = (before + after) / 2 + h * (slopes[at] - slopes[at + 1]) / 8
        k2 = _slope(now + h / 2 * k1, middle)
        k3 = _slope(now + h / 2 * k2, middle)
        k4 = _slope(now + h * k3, after)
        x.append(now + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4))
    return np.array(x)


def _slope(x: float, delayed: float) -> float:
    square = delayed * delayed
    fourth = square * square
    return 0.2 * delayed / (1 + fourth * fourth * square) - 0.1 * x
