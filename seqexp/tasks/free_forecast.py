"""Forecasts by a model of the next step that reads what it has said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from seqexp.data.forecast_stream import CutNextValues, Series, forecast_split, forecast_stream
from seqexp.data.forecast_windows import Windows, window_starts
from seqexp.tasks.forecast_picture import LEGEND, channel_pictures
from seqexp.tasks.metrics import squared_error
from seqexp.types import (
    Batch,
    Features,
    FreeRunning,
    Prediction,
    Sequences,
    Splits,
    Sums,
    TaskSpec,
)


@dataclass(frozen=True, kw_only=True)
class FreeForecast:
    """At each step the next values of all C channels; a forecast reads L steps, then its own.

    It is trained on windows of L + H - 1 steps, each of which it sees as it is (teacher forcing).
    The scores are those of the H values that it says from the last of L given steps on.

    Attributes:
        length: L.
        horizon: H.
        channels: C.
    """

    length: int
    horizon: int
    channels: int

    @property
    def spec(self) -> TaskSpec:
        steps, C = self.length + self.horizon - 1, self.channels
        return TaskSpec(Features(C), "step", C, steps, causal=True, targets="values")

    @property
    def decoding(self) -> FreeRunning:
        return FreeRunning(self.length)

    def splits(self, series: Series, borders: Mapping[str, tuple[int, int]]) -> Splits:
        """The windows of `DirectForecast.splits`, as steps; the series has no missing values."""
        steps = self.spec.max_length
        cut = CutNextValues(steps)
        starts = {
            name: window_starts(*border, self.length, self.horizon)
            for name, border in borders.items()
        }
        train = forecast_stream(series, starts.pop("train"), steps, cut)
        held = {name: (forecast_split(series, own, steps, cut),) for name, own in starts.items()}
        return Splits(train, held)

    def windows(self, split: Batch) -> Windows:
        """Inputs `[N, L, C]` and targets `[N, H, C]`, in numpy."""
        inputs, targets = np.asarray(split.inputs.values), np.asarray(split.targets)
        return Windows(inputs[:, : self.length], targets[:, self.length - 1 :])

    def measure(self, prediction: Prediction, batch: Batch) -> Sums:
        """The squared error of the next value, at every step of a window that is seen as it is."""
        mse = squared_error(prediction.outputs, batch.targets, self.spec.answer_mask(batch))
        return {"loss": mse, "next_mse": mse}

    def judge(self, generated: Sequences, batch: Batch) -> Mapping[str, float]:
        """MSE and MAE of the H values that are said, over all windows."""
        errors = np.asarray(generated.values, np.float64) - self.windows(batch).targets
        return {"mse": float(np.mean(errors**2)), "mae": float(np.mean(np.abs(errors)))}

    def show(
        self, batch: Batch, outputs: np.ndarray, generated: Sequences | None
    ) -> Mapping[str, str | np.ndarray]:
        """The first window's channels, 7 at most, what came after them, and their forecasts."""
        assert generated is not None
        past, future = self.windows(batch)
        said = np.asarray(generated.values)
        picture = channel_pictures(past[0], future[0], said[0])
        return {"forecasts": picture, "forecasts_legend": LEGEND}
