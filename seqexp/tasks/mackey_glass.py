"""Forecasts of the Mackey-Glass series, which is chaotic."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seqexp.data.mackey_glass import mackey_glass
from seqexp.tasks.values_ahead import ValuesAhead


@dataclass(frozen=True, kw_only=True)
class MackeyGlass(ValuesAhead):
    """At each step of the Mackey-Glass series, its value k steps later.

        dx/dt = 0.2 x(t - tau) / (1 + x(t - tau)^10) - 0.1 x(t)

    sampled every unit of time, and standardized. With k = 2, a window of 4 steps is

        input    -0.924  -0.622  -0.367  -0.163
        target   -0.367  -0.163  -0.011   0.093

    Training, validation and test have series of their own, from other seeds. The NRMSE is the root
    of the mean squared error over the standard deviation of the training series: always answering
    the mean has about 1.

    Mackey & Glass 1977, https://doi.org/10.1126/science.267326; as a test of recurrent networks
    Jaeger & Haas 2004, "Harnessing nonlinearity", https://doi.org/10.1126/science.1091277.

    Attributes:
        tau: the delay in steps; chaotic from 17.

    The others are those of `seqexp.tasks.values_ahead.ValuesAhead`.

    Raises:
        SeqexpError: a number is out of range.
    """

    tau: int

    @property
    def features(self) -> int:
        return 1

    def make(self, seed: int, steps: int) -> np.ndarray:
        return mackey_glass(seed, steps, self.tau)[:, None]
