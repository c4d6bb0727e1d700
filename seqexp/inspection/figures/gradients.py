"""Figures of gradients through time: their norm against the lag, and the step Jacobians."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter

from seqexp.analysis import canvas
from seqexp.analysis.looks import COLOURS, INK, MUTED
from seqexp.analysis.notation import digits, tick
from seqexp.inspection.figures.panel import at, entitle, whole_numbers
from seqexp.inspection.figures.shared import Limits

LINE, FIT, BOUND = COLOURS[0], COLOURS[1], INK


def draw_gradient(
    ax: Axes,
    quartiles: np.ndarray,
    half_life: float | None,
    bound: np.ndarray | None,
    limits: Limits,
    layer: str,
    step: int,
) -> dict[str, Any]:
    """The norm of the loss's gradient by the state k steps before it.

    Args:
        ax: to draw on.
        quartiles: `[3, K]`, of the norm at the lags 1 .. K; NaN where not known.
        half_life: fitted, in steps; NaN where it doesn't halve, None where it was not recorded.
        bound: `[K]`, of the growth over k steps (Pascanu et al. 2013); None where not defined. It
            is drawn from the median at the first known lag on, s^(k - 1) times that one.
        limits: the least and the greatest norm that is seen.
        layer: its name.
        step: of training.

    Returns:
        A handle for each of the lines.
    """
    low, median, high = quartiles
    lags = 1 + np.arange(len(median))
    _log_axis(ax, limits)
    known = np.isfinite(median) & (median > 0)
    floor = ax.get_ylim()[0] * 1e-3
    low, high = np.maximum(low, floor), np.maximum(high, floor)
    ax.fill_between(lags, low, high, color=LINE, alpha=0.2, linewidth=0)
    [line] = ax.plot(lags, np.where(known, median, np.nan), color=LINE, linewidth=1.6)
    if known.sum() == 1:
        line.set(marker="o", markersize=4)
    handles = {"median, quartiles": line}
    if half_life is not None and half_life > 0 and known.any():
        rate = np.log(2) / half_life
        intercept = np.mean(np.log(median[known]) + rate * lags[known])
        fit = np.exp(intercept - rate * lags)
        name = f"half-life {digits(half_life)} steps"
        [handles[name]] = ax.plot(lags, fit, "--", color=FIT, linewidth=1.2)
    if bound is not None and known.any():
        first = np.argmax(known)
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            reach = median[first] * np.asarray(bound, float) / bound[first]
        reach = np.where(lags >= lags[first], reach, np.nan)
        name = "bound of Pascanu et al."
        [handles[name]] = ax.plot(lags, reach, ":", color=BOUND, linewidth=1.4)
    ax.set_xlim(0, lags[np.isfinite(median)].max(initial=1) + 0.5)
    ax.set(xlabel="lag k, steps", ylabel="norm of dL(t) / dh(t − k)")
    entitle(ax, "Gradient norm against the lag", layer, at(step))
    return handles


def draw_jacobians(
    ax: Axes, products: Mapping[int, np.ndarray], layer: str, step: int
) -> dict[str, Any]:
    """The singular values of the products of step Jacobians over k steps, `[m]` of each k.

    Above 1 a direction of the state grows, below it shrinks.

    Returns:
        A handle for the median.
    """
    lags = sorted(products)
    values = {k: np.asarray(products[k], float).ravel() for k in lags}
    values = {k: own[np.isfinite(own) & (own > 0)] for k, own in values.items()}
    every = np.concatenate([np.ones(1), *values.values()])
    _log_axis(ax, (max(every.min(), 1e-12 * every.max()), every.max()))
    ax.axhline(1, color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
    for place, k in enumerate(lags):
        # Side by side in their order, so that equal ones are seen.
        m = len(values[k])
        spread = np.linspace(-0.3, 0.3, m) if m > 1 else np.zeros(m)
        ax.plot(place + spread, values[k], ".", color=LINE, markersize=3)
    medians = [np.median(own) if len(own) else np.nan for own in values.values()]
    [line] = ax.plot(range(len(lags)), medians, color=FIT, linewidth=1.2, marker="_")
    ax.set_xticks(range(len(lags)), [str(k) for k in lags])
    ax.set(xlabel="product over k steps", ylabel="singular value")
    entitle(ax, "Singular values of the step Jacobians", layer, at(step))
    return {"median": line}


def draw_lyapunov(ax: Axes, exponents: np.ndarray, layer: str, step: int) -> None:
    """The largest Lyapunov exponents `[m]`, in nats a step; above 0 the layer is chaotic."""
    order = np.sort(exponents[np.isfinite(exponents)])[::-1]
    canvas.fit_y(ax, [0, *order])
    ax.axhline(0, color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
    ax.plot(1 + np.arange(len(order)), order, "o", color=LINE, markersize=4)
    ax.set_xlim(0, max(len(order), 1) + 1)
    whole_numbers(ax.xaxis)
    ax.set(xlabel="number, the largest first", ylabel="exponent, nats a step")
    entitle(ax, "Lyapunov exponents", layer, at(step))


def _log_axis(ax: Axes, limits: Limits) -> None:
    """A logarithmic axis of norms, with a margin, and ticks at powers of ten."""
    low, high = limits
    margin = (high / low) ** 0.06 if high > low else 2.0
    ax.set_yscale("log", nonpositive="clip")
    ax.set_ylim(low / margin, high * margin)
    ax.yaxis.set_major_locator(LogLocator(numticks=6))
    if high < 100 * low:
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=8))
    ax.yaxis.set_minor_formatter(NullFormatter())
    ax.yaxis.set_major_formatter(lambda value, _: tick(value))
