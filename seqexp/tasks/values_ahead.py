"""At each step of a generated series, its values some steps later."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from seqexp.data.forecast_stream import CutNextValues, Series, forecast_split, forecast_stream
from seqexp.data.forecast_windows import window_starts
from seqexp.data.standardize import statistics
from seqexp.tasks.arguments import require_count
from seqexp.tasks.baselines import measured_baselines
from seqexp.tasks.forecast_picture import LEGEND, forecast_pictures
from seqexp.tasks.metrics import squared_error
from seqexp.types import (
    Batch,
    Features,
    Prediction,
    Score,
    Sequences,
    Splits,
    Sums,
    Task,
    TaskSpec,
    means,
)

SEEDS = {"train": 1_977_000, "valid": 1_977_001, "test": 1_977_002}
ORDERS = (1, 2, 4, 8, 16, 32, 64)
PENALTIES = tuple(10.0**power for power in range(-6, 3, 2))


@dataclass(frozen=True, kw_only=True)
class ValuesAhead(Task):
    """Windows of T steps of a series of D values; the target of step t are the values of t + k.

    Attributes:
        ahead: k; 1 for the next value.
        length: T, steps of a window.
        warmup: the first steps of a window, which are read but neither trained nor scored.
        train_steps: of the series that training windows are cut from, at every place.
        held_out_steps: of the two others, cut into windows side by side.

    Raises:
        SeqexpError: a number is out of range.
    """

    ahead: int
    length: int
    warmup: int
    train_steps: int
    held_out_steps: int

    def __post_init__(self) -> None:
        task, least = type(self).__name__, self.length + self.ahead
        require_count(task, "warmup", self.warmup, minimum=0)
        require_count(task, "length", self.length, minimum=self.warmup + 1)
        require_count(task, "ahead", self.ahead, minimum=1)
        require_count(task, "train_steps", self.train_steps, minimum=least)
        require_count(task, "held_out_steps", self.held_out_steps, minimum=least)
        self.make(seed=0, steps=1)

    @property
    @abstractmethod
    def features(self) -> int:
        """D."""

    @abstractmethod
    def make(self, seed: int, steps: int) -> np.ndarray:
        """A series, `[steps, D]`. Raises SeqexpError where an attribute is out of range."""

    @property
    def spec(self) -> TaskSpec:
        D = self.features
        return TaskSpec(Features(D), "step", D, self.length, causal=True, targets="values")

    @property
    def score(self) -> Score:
        return Score("nrmse", "min")

    @property
    def baselines(self) -> Mapping[str, float]:
        """NRMSE on the test split."""
        of = {"last value": last_value, "linear autoregression": autoregression}
        methods = {name: partial(method, warmup=self.warmup) for name, method in of.items()}
        return measured_baselines(self, methods)

    def load(self) -> Splits:
        """The series of each split, standardized by the one that trains; made in 1 to 2 s."""
        own = statistics(self.make(SEEDS["train"], self.train_steps))
        cut = CutNextValues(self.length, self.ahead)

        def series(name: str, steps: int) -> Series:
            values = own.standardize(self.make(SEEDS[name], steps)).astype(np.float32)
            return Series(values, values)

        def starts(steps: int, stride: int) -> np.ndarray:
            return window_starts(0, steps, self.length, self.ahead, stride)

        train = series("train", self.train_steps)
        stream = forecast_stream(train, starts(self.train_steps, 1), self.length, cut)
        side_by_side = starts(self.held_out_steps, self.length)
        held_out = {
            name: (
                forecast_split(series(name, self.held_out_steps), side_by_side, self.length, cut),
            )
            for name in ("valid", "test")
        }
        return Splits(stream, held_out)

    def measure(self, prediction: Prediction, batch: Batch) -> Sums:
        """The squared error behind the warm-up, in units of the training series' variance."""
        scored = jnp.arange(batch.inputs.values.shape[1]) >= self.warmup
        mse = squared_error(prediction.outputs, batch.targets, batch.inputs.mask & scored)
        return {"loss": mse, "mse": mse}

    def summarize(self, sums: Sums) -> Mapping[str, float]:
        """NRMSE: the root of the mean squared error, over the training series' deviation."""
        found = means(sums)
        return {**found, "nrmse": math.sqrt(found["mse"])}

    @property
    def shown(self) -> int:
        return 3

    def show(
        self, batch: Batch, outputs: np.ndarray, generated: Sequences | None
    ) -> Mapping[str, str | np.ndarray | bytes]:
        """The first value of each window behind its warm-up, and its forecast."""
        targets = np.asarray(batch.targets)[:, self.warmup :, 0]
        forecast = outputs[:, self.warmup :, 0]
        picture = forecast_pictures(targets[:, :1], targets[:, 1:], forecast[:, 1:])
        return {"forecasts": picture, "forecasts_legend": LEGEND}


class Values(NamedTuple):
    """Inputs and targets of windows, `[N, T, D]` float64."""

    inputs: np.ndarray
    targets: np.ndarray


def last_value(splits: Splits, warmup: int) -> float:
    """Of the values that stand now, as the forecast."""
    inputs, targets = _arrays(splits.held_out["test"][0])
    return _nrmse(inputs[:, warmup:], targets[:, warmup:])


def autoregression(splits: Splits, warmup: int) -> float:
    """Of a linear map of the last p values of all features, by ridge regression.

    It trains on windows side by side; p, of 1 to 64 and no more than warm-up steps and one, and the
    penalty are those that are best on validation.
    """
    parts = splits.train.all_examples()
    assert parts is not None
    every = parts[0].inputs.values.shape[1]
    train = Values(*(array[::every] for array in _arrays(parts[0])))
    valid, test = (_arrays(splits.held_out[name][0]) for name in ("valid", "test"))
    found = []
    for p in (order for order in ORDERS if order <= warmup + 1):
        x, y = _lagged(train, p, warmup)
        gram, moments = x.T @ x, x.T @ y
        for penalty in PENALTIES:
            weights = np.linalg.solve(gram + penalty * np.eye(len(gram)), moments)
            on_valid, on_test = (
                _nrmse(past @ weights, future)
                for past, future in (_lagged(split, p, warmup) for split in (valid, test))
            )
            found.append((on_valid, on_test))
    return min(found)[1]


def _lagged(values: Values, p: int, warmup: int) -> tuple[np.ndarray, np.ndarray]:
    """`[n, p D + 1]` what a forecast is made of, and `[n, D]` what comes, behind the warm-up."""
    inputs, targets = values
    T, D = inputs.shape[1:]
    lags = [inputs[:, warmup - lag : T - lag] for lag in range(p)]
    x = np.concatenate([*lags, np.ones_like(lags[0][..., :1])], axis=-1)
    return x.reshape(-1, p * D + 1), targets[:, warmup:].reshape(-1, D)


def _arrays(split: Batch) -> Values:
    return Values(
        np.asarray(split.inputs.values, np.float64), np.asarray(split.targets, np.float64)
    )


def _nrmse(forecast: np.ndarray, targets: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(forecast - targets))))
