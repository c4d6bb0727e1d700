"""Forecasting: the load and the oil temperature of a power transformer, hour by hour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from seqexp.data.download import fetch
from seqexp.data.forecast_stream import Center, Series
from seqexp.data.forecast_windows import ETT_HOURS
from seqexp.data.series_files import read_series
from seqexp.data.sources import ETT
from seqexp.data.standardize import statistics
from seqexp.tasks.arguments import require_count
from seqexp.tasks.baselines import measured_baselines
from seqexp.tasks.direct_forecast import DirectForecast
from seqexp.tasks.forecast_baselines import forecast_baselines
from seqexp.tasks.free_forecast import FreeForecast
from seqexp.types import (
    Batch,
    Decoding,
    Prediction,
    Score,
    SeqexpError,
    Sequences,
    Splits,
    Sums,
    Task,
    TaskSpec,
)

CHANNELS = ("HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT")
DAY = 24


@dataclass(frozen=True, kw_only=True)
class ETTh1(Task):
    """From the last L hours of ETTh1 the next H: 7 channels, or the oil temperature alone.

    The first row of the file is HUFL 5.827, HULL 2.009, MUFL 1.599, MULL 0.462, LUFL 4.203, LULL
    1.340 and OT 30.531, on 1 July 2016 at 0:00. Channels are standardized by the training split, so
    that errors are in units of its standard deviations. With L = 3 and H = 2, OT is

        hour      0      1      2        3      4
        input     1.461  1.161  1.161
        target                           0.862  0.525

    Targets lie in rows 0 to 8,639 (train), 8,640 to 11,519 (valid) and 11,520 to 14,399 (test), 12,
    4 and 4 months of 30 days; every window counts, and inputs may reach back into the split before.
    In training each window comes once an epoch. MSE and MAE are means over windows, hours and
    channels.

    "direct" asks for all H hours at once, as one answer; "autoregressive" for the next hour at
    every step: trained on what was, it forecasts from what it has said itself.

    Zhou et al. 2021, "Informer", https://arxiv.org/abs/2012.07436; the linear baseline that most
    models don't beat is that of Zeng et al. 2023, https://arxiv.org/abs/2205.13504.

    Attributes:
        window: L; for the seasonal baseline at least 24.
        horizon: H; 96, 192, 336 and 720 are usual.
        channels: "multivariate" for 7 channels in and out, "univariate" for OT in and out.
        mode: "direct" or "autoregressive".
        center: what is subtracted from a window and added to its forecast: "none", the "last" value
            or the "mean" of the L hours. Errors are the same numbers with and without. Only direct.
        quantiles: ascending, 0.5 among them, to train on their loss; null for none. Only direct.

    Raises:
        SeqexpError: an argument is out of range, or does not fit the mode.
    """

    window: int
    horizon: int
    channels: Literal["multivariate", "univariate"]
    mode: Literal["direct", "autoregressive"]
    center: Center
    quantiles: tuple[float, ...] | None

    def __post_init__(self) -> None:
        require_count("ETTh1", "window", self.window, minimum=1)
        require_count("ETTh1", "horizon", self.horizon, minimum=1)
        for name, choices in (
            ("channels", ("multivariate", "univariate")),
            ("mode", ("direct", "autoregressive")),
            ("center", ("none", "last", "mean")),
        ):
            if getattr(self, name) not in choices:
                raise SeqexpError(
                    f"ETTh1: {name} must be {' or '.join(map(repr, choices))}, but is "
                    f"{getattr(self, name)!r}"
                )
        shortest = min(last - first for first, last in ETT_HOURS.values())
        rows = ETT_HOURS["train"][1]
        if self.horizon > shortest or self.window + self.horizon > rows:
            raise SeqexpError(
                f"ETTh1: horizon is {self.horizon} and window {self.window}, but a split has "
                f"{shortest:,} rows to forecast, and training {rows:,} in all: choose less"
            )
        if self.mode == "autoregressive" and (self.center != "none" or self.quantiles is not None):
            raise SeqexpError(
                "ETTh1: center and quantiles are for mode=direct: leave them at none and null"
            )
        if self.quantiles is not None:
            # A config gives a list.
            object.__setattr__(self, "quantiles", tuple(self.quantiles))
        _ = self._forecast  # Its constructor checks the quantiles.

    @property
    def _forecast(self) -> DirectForecast | FreeForecast:
        C = len(self._names)
        if self.mode == "autoregressive":
            return FreeForecast(length=self.window, horizon=self.horizon, channels=C)
        return DirectForecast(
            length=self.window,
            horizon=self.horizon,
            features=C,
            channels=C,
            center=self.center,
            centered=C,
            quantiles=self.quantiles or (),
        )

    @property
    def _names(self) -> tuple[str, ...]:
        return CHANNELS if self.channels == "multivariate" else CHANNELS[-1:]

    @property
    def spec(self) -> TaskSpec:
        return self._forecast.spec

    @property
    def score(self) -> Score:
        return Score("mse", "min")

    @property
    def baselines(self) -> Mapping[str, float]:
        """MSE on the test split; see `seqexp.tasks.forecast_baselines`."""
        period = DAY if self.window >= DAY else None
        return measured_baselines(self, forecast_baselines(self._forecast.windows, period))

    def data_hashes(self) -> Mapping[str, str]:
        return ETT.hashes()

    def load(self) -> Splits:
        """Raises SeqexpError, naming the file and the remedy, where it cannot be had."""
        (path,) = fetch(ETT).values()
        values = read_series(path, self._names, time="date").values
        own = statistics(values[slice(*ETT_HOURS["train"])])
        standard = own.standardize(values).astype(np.float32)
        return self._forecast.splits(Series(standard, standard), ETT_HOURS)

    def measure(self, prediction: Prediction, batch: Batch) -> Sums:
        """See `DirectForecast.measure` and `FreeForecast.measure`."""
        return self._forecast.measure(prediction, batch)

    @property
    def decoding(self) -> Decoding | None:
        return self._forecast.decoding

    def judge(self, generated: Sequences, batch: Batch) -> Mapping[str, float]:
        """MSE and MAE of free-running forecasts."""
        return self._forecast.judge(generated, batch)

    @property
    def shown(self) -> int:
        return 1

    def show(
        self, batch: Batch, outputs: np.ndarray, generated: Sequences | None
    ) -> Mapping[str, str | np.ndarray]:
        """The channels of the first window, below each other, and their forecasts."""
        return self._forecast.show(batch, outputs, generated)
