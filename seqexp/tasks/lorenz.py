"""Forecasts of the Lorenz system, which is chaotic."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seqexp.data.lorenz import lorenz
from seqexp.tasks.values_ahead import ValuesAhead


@dataclass(frozen=True, kw_only=True)
class Lorenz(ValuesAhead):
    """At each step of the Lorenz system, its state k steps later.

        dx/dt = 10 (y - x),   dy/dt = x (28 - z) - y,   dz/dt = x y - 8/3 z

    every `interval` of time, and each coordinate standardized. With k = 2 and an interval of 0.02,
    the first coordinate of a window of 4 steps is

        input    -0.336  -0.382  -0.435  -0.498
        target   -0.435  -0.498  -0.573  -0.662

    Training, validation and test have series of their own, from other seeds. The NRMSE is the root
    of the mean squared error of all three, each in units of its standard deviation in the training
    series: always answering the mean has about 1.

    Lorenz 1963, https://doi.org/10.1175/1520-0469(1963)020%3C0130:DNF%3E2.0.CO;2; as a test of
    recurrent networks Chattopadhyay et al. 2020, https://doi.org/10.5194/npg-27-373-2020.

    Attributes:
        interval: from one step to the next, in units of time, above 0 and at most 0.1.

    The others are those of `seqexp.tasks.values_ahead.ValuesAhead`.

    Raises:
        SeqexpError: a number is out of range.
    """

    interval: float

    @property
    def features(self) -> int:
        return 3

    def make(self, seed: int, steps: int) -> np.ndarray:
        return lorenz(seed, steps, self.interval)
