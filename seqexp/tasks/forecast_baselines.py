"""Baselines of forecasting: mean squared errors on the test split, of methods without a network."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from seqexp.data.forecast_windows import Windows
from seqexp.types import Batch, Splits

AsWindows = Callable[[Batch], Windows]
"""From a task's split to inputs `[N, L, D]` and targets `[N, H, C]`, of the first C features."""

PENALTIES = tuple(10.0**power for power in range(-1, 7))


def forecast_baselines(windows: AsWindows, period: int | None) -> dict[str, Callable]:
    """The methods by name, for `measured_baselines`.

    Args:
        windows: of the task.
        period: steps of a season that the inputs hold at least once; None for none.
    """
    seasonal = {} if period is None else {"seasonal naive": partial(seasonal_naive, period=period)}
    return {
        name: partial(method, windows=windows)
        for name, method in {"last value": last_value, **seasonal, "linear": linear}.items()
    }


def last_value(splits: Splits, windows: AsWindows) -> float:
    """The last value, all the time."""
    return seasonal_naive(splits, windows, period=1)


def seasonal_naive(splits: Splits, windows: AsWindows, period: int) -> float:
    """The last season over and over: y_{L+h} = x_{L - p + (h - 1 mod p) + 1}, h = 1, 2, ...

    Hyndman & Athanasopoulos 2021, "Forecasting: principles and practice", section 5.2,
    https://otexts.com/fpp3/simple-methods.html.
    """
    inputs, targets = windows(splits.held_out["test"][0])
    _, H, C = targets.shape
    season = inputs[:, -period:, :C]
    return _mse(season[:, np.arange(H) % period], targets)


def linear(splits: Splits, windows: AsWindows) -> float:
    """One linear map from L values to H, the same for every channel, by ridge regression.

        min over W, b of sum |x W + b - y|^2 + lambda |W|^2

    over all training windows and channels, with the lambda of 10^-1 to 10^6 that is best on
    validation: the map of DLinear (Zeng et al. 2023, https://arxiv.org/abs/2205.13504), which need
    not part a series into trend and rest to reach all linear maps. Windows with missing targets
    don't train.
    """
    parts = splits.train.all_examples()
    assert parts is not None
    inputs, targets = windows(parts[0])
    whole = np.isfinite(targets).all(axis=(1, 2))
    if not whole.any():
        return float("nan")
    inputs, targets = inputs[whole], targets[whole]
    channels = range(targets.shape[2])
    x_mean = np.mean([inputs[..., c].mean(0, dtype=np.float64) for c in channels], axis=0)
    y_mean = np.mean([targets[..., c].mean(0, dtype=np.float64) for c in channels], axis=0)
    gram = np.zeros((len(x_mean), len(x_mean)))
    moments = np.zeros((len(x_mean), len(y_mean)))
    for c in channels:
        x = inputs[..., c] - x_mean
        gram += x.T @ x
        moments += x.T @ (targets[..., c] - y_mean)
    scale, basis = np.linalg.eigh(gram)
    turned = basis.T @ moments
    valid, test = windows(splits.held_out["valid"][0]), windows(splits.held_out["test"][0])
    found = []
    for penalty in PENALTIES:
        weights = basis @ (turned / (np.maximum(scale, 0) + penalty)[:, None])
        forecast = partial(_linear, weights=weights, x_mean=x_mean, y_mean=y_mean)
        found.append((_mse(forecast(valid), valid.targets), forecast))
    best = min(found, key=lambda each: each[0])[1]
    return _mse(best(test), test.targets)


def _linear(
    windows: Windows, weights: np.ndarray, x_mean: np.ndarray, y_mean: np.ndarray
) -> np.ndarray:
    channels = range(windows.targets.shape[2])
    each = [(windows.inputs[..., c] - x_mean) @ weights + y_mean for c in channels]
    return np.stack(each, axis=-1)


def _mse(forecast: np.ndarray, targets: np.ndarray) -> float:
    return float(np.nanmean(np.square(forecast.astype(np.float64) - targets)))
