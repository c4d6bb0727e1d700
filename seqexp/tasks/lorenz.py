"""Forecasts of the Lorenz system, which is chaotic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from seqexp.data.lorenz import lorenz
from seqexp.tasks.baselines import measured_baselines
from seqexp.tasks.values_ahead import ValuesAhead
from seqexp.types import Batch, Prediction, Score, Sequences, Splits, Sums, Task, TaskSpec


@dataclass(frozen=True, kw_only=True)
class Lorenz(Task):
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
        ahead: k; 1 for the next value.
        length: T, steps of a window.
        warmup: the first steps of a window, which are read but neither trained nor scored.
        train_steps: of the series that training windows are cut from, at every place.
        held_out_steps: of the two others, cut into windows side by side.

    Raises:
        SeqexpError: a number is out of range.
    """

    interval: float
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
            task="Lorenz",
            length=self.length,
            ahead=self.ahead,
            warmup=self.warmup,
            features=3,
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
        """Generates the three series, in about 1 s."""
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
        """The first coordinate in three windows, and its forecasts."""
        return self._values.show(batch, outputs)

    def _make(self, seed: int, steps: int) -> np.ndarray:
        return lorenz(seed, steps, self.interval)
