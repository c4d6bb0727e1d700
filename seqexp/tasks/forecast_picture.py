"""Pictures of forecasts: a line of pixels a series, time from left to right."""

from __future__ import annotations

import numpy as np

HEIGHT, GAP, MOST = 48, 8, 7
TRUE, FORECAST = 1.0, 0.4


def forecast_pictures(past: np.ndarray, future: np.ndarray, forecast: np.ndarray) -> np.ndarray:
    """Pictures of several series below each other, each scaled to its own values.

    What happened is black, and the forecast grey where they differ.

    Args:
        past: `[N, L]`.
        future: `[N, H]`, NaN where a value is missing.
        forecast: `[N, H]`.

    Returns:
        `[N (HEIGHT + GAP) - GAP, L + H]` floats from 0, white, to 1, black.
    """
    pictures = []
    for own in zip(past, future, forecast, strict=True):
        pictures += [_picture(*own), np.zeros((GAP, past.shape[1] + future.shape[1]))]
    return np.concatenate(pictures[:-1])


def channel_pictures(past: np.ndarray, future: np.ndarray, forecast: np.ndarray) -> np.ndarray:
    """`forecast_pictures` of the first 7 channels of one window: `[L, D]`, `[H, C]`, `[H, C]`."""
    shown = range(min(future.shape[1], MOST))
    return forecast_pictures(*(values[:, shown].T for values in (past, future, forecast)))


def _picture(past: np.ndarray, future: np.ndarray, forecast: np.ndarray) -> np.ndarray:
    L, true = len(past), np.concatenate([past, future])
    every = np.concatenate([true, forecast])
    low, high = np.nanmin(every), np.nanmax(every)
    picture = np.zeros((HEIGHT, len(true)))
    # The forecast begins at the last value before it.
    lines = (L - 1, np.concatenate([past[-1:], forecast]), FORECAST), (0, true, TRUE)
    for start, values, shade in lines:
        rows = np.round((high - values) / max(high - low, 1e-9) * (HEIGHT - 1))
        for place, row in enumerate(rows):
            before = rows[place - 1] if place else row
            if np.isfinite(row):
                ends = sorted((int(row), int(before if np.isfinite(before) else row)))
                picture[ends[0] : ends[1] + 1, start + place] = shade
    return picture
