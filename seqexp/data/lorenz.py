"""The Lorenz system: chaos of three equations.

It is computed by additions, multiplications and divisions of Python's floats alone, which give the
same bits on every machine; powers of the C library don't, and chaos makes that visible.
"""

from __future__ import annotations

import numpy as np

from seqexp.types import SeqexpError

TRANSIENT = 20.0
"""Units of time before the series begins."""


def lorenz(seed: int, steps: int, interval: float = 0.02, substeps: int = 2) -> np.ndarray:
    """Lorenz's system, a state every `interval` of time, after 20 units that are left out.

        dx/dt = 10 (y - x),   dy/dt = x (28 - z) - y,   dz/dt = x y - 8/3 z

    from a state uniform in [0.5, 1.5)^3, by `lorenz_path`. Lorenz 1963, "Deterministic nonperiodic
    flow", https://doi.org/10.1175/1520-0469(1963)020%3C0130:DNF%3E2.0.CO;2.

    Args:
        seed: draws the first state.
        steps: T, at least 1.
        interval: from one state to the next, in units of time.
        substeps: integration steps an interval.

    Returns:
        `[T, 3]` float64: x, y and z.

    >>> lorenz(seed=0, steps=100).shape
    (100, 3)
    """
    if steps < 1 or substeps < 1:
        raise SeqexpError(f"steps and substeps are at least 1, not {steps} and {substeps}")
    if not 0 < interval / substeps <= 0.05:
        raise SeqexpError(
            f"an interval of {interval} in {substeps} steps: integration needs steps above 0 and "
            "of at most 0.05; raise substeps"
        )
    first = 0.5 + np.random.default_rng(seed).random(3)
    transient = round(TRANSIENT / interval)
    path = lorenz_path(first, (transient + steps) * substeps, interval / substeps)
    return path[::substeps][-steps:]


def lorenz_path(first: np.ndarray, steps: int, h: float) -> np.ndarray:
    """The solution from a state, at each of `steps` steps of h, by Runge-Kutta of order 4.

    Returns:
        `[steps + 1, 3]` float64, the first state included.
    """
    states = [tuple(float(value) for value in first)]
    for _ in range(steps):
        state = states[-1]
        k1 = _slope(state)
        k2 = _slope(_moved(state, k1, h / 2))
        k3 = _slope(_moved(state, k2, h / 2))
        k4 = _slope(_moved(state, k3, h))
        mean = tuple((a + 2 * b + 2 * c + d) / 6 for a, b, c, d in zip(k1, k2, k3, k4, strict=True))
        states.append(_moved(state, mean, h))
    return np.array(states)


def _slope(state: tuple[float, ...]) -> tuple[float, ...]:
    x, y, z = state
    return 10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z


def _moved(state: tuple[float, ...], slope: tuple[float, ...], h: float) -> tuple[float, ...]:
    return tuple(value + h * change for value, change in zip(state, slope, strict=True))
