"""Pictures of forecasts: a line of pixels a series, time from left to right."""

from __future__ import annotations

import numpy as np

HEIGHT, GAP, MOST = 48, 8, 7
TRUE, FORECAST, BAND = 1.0, 0.4, 0.15

LEGEND = "black: the series and its true continuation; grey: the forecast, where it differs"
"""What the lines of a picture are, in words that are shown with it."""


def forecast_pictures(
    past: np.ndarray,
    future: np.ndarray,
    forecast: np.ndarray,
    band: tuple[np.ndarray, np.ndarray] | None = None,
) -> np.ndarray:
    """Pictures of several series below each other, each scaled to its own values.

    What happened is black, the forecast grey where they differ, and its band light grey behind.

    Args:
        past: `[N, L]`.
        future: `[N, H]`, NaN where a value is missing.
        forecast: `[N, H]`.
        band: the lowest and the highest quantile, each `[N, H]`.

    Returns:
        `[N (HEIGHT + GAP) - GAP, L + H]` floats from 0, white, to 1, black.
    """
    pictures = []
    for n, own in enumerate(zip(past, future, forecast, strict=True)):
        ends = None if band is None else (band[0][n], band[1][n])
        pictures += [_picture(*own, ends), np.zeros((GAP, past.shape[1] + future.shape[1]))]
    return np.concatenate(pictures[:-1])


def channel_pictures(
    past: np.ndarray,
    future: np.ndarray,
    forecast: np.ndarray,
    band: tuple[np.ndarray, np.ndarray] | None = None,
) -> np.ndarray:
    """`forecast_pictures` of the first 7 channels of one window: `[L, D]`, and `[H, C]` each."""
    own = slice(min(future.shape[1], MOST))
    past, future, forecast = (values[:, own].T for values in (past, future, forecast))
    return forecast_pictures(
        past, future, forecast, band and (band[0][:, own].T, band[1][:, own].T)
    )


def _picture(
    past: np.ndarray,
    future: np.ndarray,
    forecast: np.ndarray,
    band: tuple[np.ndarray, np.ndarray] | None,
) -> np.ndarray:
    L, true = len(past), np.concatenate([past, future])
    every = np.concatenate([true, forecast, *(band or ())])
    least, greatest = np.nanmin(every), np.nanmax(every)
    picture = np.zeros((HEIGHT, len(true)))

    def rows(values: np.ndarray) -> np.ndarray:
        return np.round((greatest - values) / max(greatest - least, 1e-9) * (HEIGHT - 1))

    for place, ends in enumerate(zip(*map(rows, band), strict=True) if band else ()):
        if np.isfinite(ends).all():
            top, bottom = sorted(map(int, ends))  # Quantiles may cross.
            picture[top : bottom + 1, L + place] = BAND
    # The forecast begins at the last value before it.
    lines = (L - 1, np.concatenate([past[-1:], forecast]), FORECAST), (0, true, TRUE)
    for start, values, shade in lines:
        heights = rows(values)
        for place, row in enumerate(heights):
            before = heights[place - 1] if place else row
            if np.isfinite(row):
                ends = sorted((int(row), int(before if np.isfinite(before) else row)))
                picture[ends[0] : ends[1] + 1, start + place] = shade
    return picture
