"""Forecasts of the Mackey-Glass series, which is chaotic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from seqexp.data.mackey_glass import mackey_glass
from seqexp.tasks.baselines import measured_baselines
from seqexp.tasks.values_ahead import ValuesAhead
from seqexp.types import Batch, Prediction, Score, Sequences, Splits, Sums, Task, TaskSpec


@dataclass(frozen=True, kw_only=True)
class MackeyGlass(Task):
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
        ahead: k; 1 for the next value.
        length: T, steps of a window.
        warmup: the first steps of a window, which are read but neither trained nor scored.
        train_steps: of the series that training windows are cut from, at every place.
        held_out_steps: of the two others, cut into windows side by side.

    Raises:
        SeqexpError: a number is out of range.
    """

    tau: int
    ahead: int
    length: int
    warmup: int
    train_steps: int
    held_out_steps: int

    def __post_init__(self) -> None:
        self._values  # noqa: B018, which checks the numbers
        self._make(seed=0, steps=1)

    @property
    def _values(self) -> ValuesAhead:
        return ValuesAhead(
            task="MackeyGlass",
            length=self.length,
            ahead=self.ahead,
            warmup=self.warmup,
            features=1,
            train_steps=self.train_steps,
            held_out_steps=self.held_out_steps,
        )

    @property
    def spec(self) -> TaskSpec:
        return self._values.spec

    @property
    def score(self) -> Score:
        return Score("nrmse", "min")

    @property
    def baselines(self) -> Mapping[str, float]:
        """NRMSE on the test split; see `seqexp.tasks.values_ahead`."""
        return measured_baselines(self, self._values.baselines())

    def load(self) -> Splits:
        """Generates the three series, in about 2 s."""
        return self._values.splits(self._make)

    def measure(self, prediction: Prediction, batch: Batch) -> Sums:
        """The squared error of standardized values behind the warm-up."""
        return self._values.measure(prediction, batch)

    def summarize(self, sums: Sums) -> Mapping[str, float]:
        """The NRMSE besides."""
        return self._values.summarize(sums)

    @property
    def shown(self) -> int:
        return 3

    def show(
        self, batch: Batch, outputs: np.ndarray, generated: Sequences | None
    ) -> Mapping[str, str | np.ndarray]:
        """The series in three windows, and its forecasts."""
        return self._values.show(batch, outputs)

    def _make(self, seed: int, steps: int) -> np.ndarray:
        return mackey_glass(seed, steps, self.tau)[:, None]
