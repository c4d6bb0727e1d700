"""Forecasts of a user's own series, from a CSV file, without writing a class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np

from seqexp.data.forecast_stream import Center, Series
from seqexp.data.missing import fill_missing, with_mask_channels
from seqexp.data.series_files import read_series
from seqexp.data.standardize import statistics
from seqexp.data.text_files import hash_file
from seqexp.tasks.arguments import require_count
from seqexp.tasks.baselines import measured_baselines
from seqexp.tasks.direct_forecast import DirectForecast
from seqexp.tasks.forecast_baselines import forecast_baselines
from seqexp.types import (
    Batch,
    Prediction,
    Score,
    SeqexpError,
    Sequences,
    Splits,
    Sums,
    Task,
    TaskSpec,
)

CENTERS, METRICS = ("none", "last", "mean"), ("mse", "mae")


class Made(NamedTuple):
    """What is made of the file.

    Attributes:
        forecast: how windows are cut and judged.
        series: standardized by the training rows.
        borders: the rows of each split.
    """

    forecast: DirectForecast
    series: Series
    borders: dict[str, tuple[int, int]]


@dataclass(frozen=True, kw_only=True)
class SeriesForecast(Task):
    """From the last L rows of a CSV file the next H, of some or all of its columns.

    The file has a line of names and then a line a step, in the order of time:

        date,load,temperature
        2026-01-01 00:00,41.2,3.5
        2026-01-01 01:00,39.8,
        2026-01-01 02:00,38.1,3.1

    Columns are standardized by the rows that train. A missing value (empty, NaN or NA) is read as
    the last one before it, the mean where there is none; where any is missing, as many features
    more say where a value was there (1) and where not (0). Missing targets weigh nothing.

    The rows are cut in the order of time into training, validation and test, by `split`. Each
    window counts whose targets lie in the split; its inputs may reach back into the one before.

    Attributes:
        path: of the file.
        columns: that are read; null for all but `time`.
        targets: columns that are forecast; null for all that are read.
        time: the column of times, which must ascend, and is no feature; null for none.
        delimiter: between fields, one character.
        split: shares of the rows that train, validate and test, of sum 1.
        window: L.
        horizon: H.
        center: what is subtracted from a window and added to its forecast: "none", the "last" row
            or the "mean" of its inputs.
        quantiles: ascending, 0.5 among them, to train on their loss; null for none.
        period: steps of a season, for the seasonal baseline; null for none.
        metric: that decides, "mse" or "mae", of standardized values.

    Raises:
        SeqexpError: an argument is out of range. Where the data is asked for: the file is missing
            or malformed, with line and column, or too short for a split.
    """

    path: str
    columns: tuple[str, ...] | None
    targets: tuple[str, ...] | None
    time: str | None
    delimiter: str
    split: tuple[float, ...]
    window: int
    horizon: int
    center: Center
    quantiles: tuple[float, ...] | None
    period: int | None
    metric: Literal["mse", "mae"]

    def __post_init__(self) -> None:
        for name in ("columns", "targets", "split", "quantiles"):
            if getattr(self, name) is not None:
                # A config gives lists.
                object.__setattr__(self, name, tuple(getattr(self, name)))
        require_count("SeriesForecast", "window", self.window, minimum=1)
        require_count("SeriesForecast", "horizon", self.horizon, minimum=1)
        if self.period is not None:
            require_count("SeriesForecast", "period", self.period, minimum=1)
        if len(self.split) != 3 or min(self.split) <= 0 or abs(sum(self.split) - 1) > 1e-6:
            raise SeqexpError(
                "SeriesForecast: split must be three shares above 0 of sum 1, for training, "
                f"validation and test, but is {list(self.split)}"
            )
        for name, choices in (("center", CENTERS), ("metric", METRICS)):
            if getattr(self, name) not in choices:
                raise SeqexpError(
                    f"SeriesForecast: {name} must be one of {', '.join(choices)}, but is "
                    f"{getattr(self, name)!r}"
                )

    @cached_property
    def _made(self) -> Made:
        raw = read_series(self.path, self.columns, self.time, self.delimiter)
        targets = raw.names if self.targets is None else self.targets
        if unknown := [name for name in targets if name not in raw.names] or not targets:
            raise SeqexpError(
                f"SeriesForecast: targets {unknown or list(targets)} are no columns that are read "
                f"of {self.path}: choose among {', '.join(raw.names)}"
            )
        if len(set(targets)) < len(targets):
            raise SeqexpError(f"SeriesForecast: targets {list(targets)} name a column twice")
        names = [*targets, *(name for name in raw.names if name not in targets)]
        values = raw.values[:, [raw.names.index(name) for name in names]]
        borders = self._borders(len(values))
        standard = statistics(values[slice(*borders["train"])]).standardize(values)
        standard = standard.astype(np.float32)
        there, C = ~np.isnan(standard), len(targets)
        inputs = fill_missing(standard)
        if not there.all():
            inputs = with_mask_channels(inputs, there)
        forecast = DirectForecast(
            length=self.window,
            horizon=self.horizon,
            features=inputs.shape[1],
            channels=C,
            center=self.center,
            centered=len(names),
            quantiles=self.quantiles or (),
            missing=not there[:, :C].all(),
        )
        return Made(forecast, Series(inputs, standard[:, :C]), borders)

    def _borders(self, rows: int) -> dict[str, tuple[int, int]]:
        # Adding 1e-9 makes 0.7 + 0.2 of 10 rows 9 of them, and not 8.
        first, second = (int(np.sum(self.split[:n]) * rows + 1e-9) for n in (1, 2))
        return {"train": (0, first), "valid": (first, second), "test": (second, rows)}

    @property
    def spec(self) -> TaskSpec:
        return self._made.forecast.spec

    @property
    def score(self) -> Score:
        return Score(self.metric, "min")

    @property
    def baselines(self) -> Mapping[str, float]:
        """MSE on the test split, see `seqexp.tasks.forecast_baselines`; none for another metric."""
        if self.metric != "mse":
            return {}
        whole = self.period is not None and self.period <= self.window
        methods = forecast_baselines(self._made.forecast.windows, self.period if whole else None)
        return measured_baselines(self, methods)

    def data_hashes(self) -> Mapping[str, str]:
        return {"series": hash_file(self.path)}

    def load(self) -> Splits:
        """Raises SeqexpError for a file that is missing, malformed or too short."""
        forecast, series, borders = self._made
        return forecast.splits(series, borders)

    def measure(self, prediction: Prediction, batch: Batch) -> Sums:
        """See `DirectForecast.measure`."""
        return self._made.forecast.measure(prediction, batch)

    @property
    def shown(self) -> int:
        return 1

    def show(
        self, batch: Batch, outputs: np.ndarray, generated: Sequences | None
    ) -> Mapping[str, str | np.ndarray]:
        """The first window's targets, 7 at most, and their forecasts."""
        return self._made.forecast.show(batch, outputs, generated)
