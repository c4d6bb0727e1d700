"""The width at which a model meets a budget."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

from seqexp.types import SeqexpError

WIDEST_COUNTED = 2**20
WIDEST_MEASURED = 2**12
"""Where the search gives up: steps of wider models take minutes to time, and much memory."""

FIRST_MEASURED = 32


class Match(NamedTuple):
    """The width that was found, and the cost that it reaches."""

    width: int
    reached: float


def match_width(
    count: Callable[[int], float],
    budget: float,
    *,
    multiple: int,
    tolerance: float,
    shown: Callable[[float], str] = "{:,}".format,
) -> Match:
    """The width, a multiple of `multiple`, whose count is nearest to the budget.

    The width grows fourfold until its count reaches the budget; then interpolation, for counts are
    much like powers of the width, and bisection by turns. For what can be traced but slowly: about
    8 calls of `count` for widths in the hundreds. If the widths on both sides are equally near, it
    is the smaller.

    Args:
        count: the exact cost (parameters, FLOPs) of a width; must never fall as it grows.
        budget: the cost to meet.
        multiple: what the width must be divisible by.
        tolerance: how far the count may be from the budget, relative to it.
        shown: how messages write a cost.

    Raises:
        SeqexpError: if the nearest count is out of tolerance, if the count stops growing short of
            the budget, for a budget that is not above 0, or for a multiple below 1.

    Example:
        >>> match_width(lambda width: width**2, 1000, multiple=8, tolerance=0.1)
        Match(width=32, reached=1024)
    """
    _require(budget, multiple)

    @cache
    def reached(units: int) -> float:
        return count(units * multiple)

    low = high = 1
    while reached(high) < budget:
        low, high = high, 4 * high
        # Less flat growth may come from widths that are rounded up to whole heads or blocks.
        start = high // 16
        if start and reached(high) <= reached(start):
            raise SeqexpError(
                f"the cost stays at {shown(reached(high))} from width {start * multiple} to "
                f"{high * multiple}, short of the budget of {shown(budget)}: match a cost that "
                "depends on the width"
            )
        if high * multiple > WIDEST_COUNTED:
            raise SeqexpError(
                f"width {low * multiple:,} is still at {shown(reached(low))}, short of the budget "
                f"of {shown(budget)}: lower the budget"
            )
    interpolate = reached(low) > 0
    while high - low > 1:
        middle = (low + high) // 2
        if interpolate:
            middle = _interpolated(low, reached(low), high, reached(high), budget)
            middle = min(max(middle, low + 1), high - 1)
        low, high = (middle, high) if reached(middle) < budget else (low, middle)
        interpolate = not interpolate and reached(low) > 0

    units = min(low, high, key=lambda units: (abs(reached(units) - budget), units))
    match = Match(units * multiple, reached(units))
    if _gap(match.reached, budget) > tolerance:
        raise SeqexpError(_refusal(match, budget, multiple, tolerance, shown))
    return match


def match_measured(
    measure: Callable[[int], float],
    budget: float,
    *,
    multiple: int,
    tolerance: float,
    shown: Callable[[float], str] = "{:,.4g}".format,
    most: int = 20,
) -> Match:
    """A width, a multiple of `multiple`, whose time is the budget, in few measurements.

    Measurements are costly and noisy, and a wider model may well be faster: none is trusted alone,
    and no order is assumed. Of several of a width the least counts, for a program can be disturbed
    but not hurried (https://docs.python.org/3/library/timeit.html). The width doubles or halves
    until the budget lies between the widest u that keeps within it, in time s, and the next one v
    above it, in t. Then

        u (v / u)^(log(budget / s) / log(t / s))    and    sqrt(u v)

    are tried by turns. A width that is near is measured again, and a third time where the two
    disagree by more than the tolerance; it is taken if it is within tolerance then. Neighbours
    between which there is nothing are measured again too before the budget is refused. Smooth times
    take about 6 measurements.

    Args:
        measure: the time of a width, above 0; asked again it measures again.
        budget: the time to meet.
        multiple: what the width must be divisible by.
        tolerance: how far the time may be from the budget, relative to it.
        shown: how messages write a cost.
        most: how many measurements to make at the most.

    Raises:
        SeqexpError: if no width comes within tolerance, for a budget that is not above 0, or for a
            multiple below 1.
    """
    _require(budget, multiple)
    tried = _Tried(budget, tolerance)
    following = max(1, round(FIRST_MEASURED / multiple))
    for _ in range(most):
        units = following
        if units * multiple > WIDEST_MEASURED:
            widest = tried.widest()
            raise SeqexpError(
                f"width {widest * multiple:,} is still at {shown(tried.cost(widest))}, short of "
                f"the budget of {shown(budget)}: lower the budget"
            )
        tried.add(units, measure(units * multiple))
        if tried.is_match(units):
            return Match(units * multiple, tried.cost(units))
        following = tried.following(units)
        if following is None:
            break
    nearest = tried.nearest()
    match = Match(nearest * multiple, tried.cost(nearest))
    said = _refusal(match, budget, multiple, tolerance, shown)
    if following is not None:
        said = f"{most} measurements settled on no width: {said}, or measure on an idle machine"
    raise SeqexpError(said)


class _Tried:
    """The widths that were measured, in units of the multiple, and which to measure next."""

    def __init__(self, budget: float, tolerance: float) -> None:
        self._budget = budget
        self._tolerance = tolerance
        self._runs: dict[int, list[float]] = {}
        self._interpolate = True

    def add(self, units: int, cost: float) -> None:
        self._runs.setdefault(units, []).append(cost)

    def cost(self, units: int) -> float:
        return min(self._runs[units])

    def gap(self, units: int) -> float:
        return _gap(self.cost(units), self._budget)

    def nearest(self) -> int:
        return min(self._runs, key=lambda units: (self.gap(units), units))

    def widest(self) -> int:
        return max(self._runs)

    def is_match(self, units: int) -> bool:
        return (
            len(self._runs[units]) > 1
            and not self._in_doubt(units)
            and self.gap(units) <= self._tolerance
        )

    def following(self, units: int) -> int | None:
        """What to measure after `units`; None where nothing is left that could match."""
        if self._in_doubt(units):
            return units
        if len(self._runs[units]) == 1 and self.gap(units) <= self._tolerance / 2:
            return units
        within = [u for u in self._runs if self.cost(u) <= self._budget]
        if not within:
            narrowest = min(self._runs)
            return narrowest // 2 if narrowest > 1 else self._last_resort(1)
        low = max(within)
        high = min((u for u in self._runs if u > low), default=None)
        if high is None:
            return 2 * low
        if high - low == 1:
            return self._last_resort(low, high)
        middle = self._between(low, high)
        if middle in (low, high) and self.gap(middle) <= self._tolerance:
            return middle
        return min(max(middle, low + 1), high - 1)

    def _in_doubt(self, units: int) -> bool:
        own = self._runs[units]
        return len(own) == 2 and max(own) > (1 + self._tolerance) * min(own)

    def _last_resort(self, *ends: int) -> int | None:
        """The width to measure again once no untried width is left; None if there is none."""
        nearest = self.nearest()
        if self.gap(nearest) <= self._tolerance:
            return nearest
        return next((units for units in ends if len(self._runs[units]) == 1), None)

    def _between(self, low: int, high: int) -> int:
        middle = round(math.sqrt(low * high))
        if self._interpolate:
            middle = _interpolated(low, self.cost(low), high, self.cost(high), self._budget)
        self._interpolate = not self._interpolate
        return middle


def _require(budget: float, multiple: int) -> None:
    if not 0 < budget < math.inf or multiple < 1:
        raise SeqexpError(
            f"matching needs a budget above 0 and a multiple of at least 1, not {budget} and "
            f"{multiple}"
        )


def _interpolated(low: int, s: float, high: int, t: float, budget: float) -> int:
    """Where a power of the width that costs s at `low` and t at `high` costs the budget."""
    return round(low * (high / low) ** (math.log(budget / s) / math.log(t / s)))


def _gap(reached: float, budget: float) -> float:
    return abs(reached - budget) / budget


def _refusal(
    match: Match, budget: float, multiple: int, tolerance: float, shown: Callable[[float], str]
) -> str:
    finer = f"a multiple below {multiple}, " if multiple > 1 else ""
    return (
        f"the nearest to a budget of {shown(budget)} is {shown(match.reached)} at width "
        f"{match.width}, {_gap(match.reached, budget):.1%} off where {tolerance:.1%} is allowed: "
        f"use {finer}another budget or a wider tolerance"
    )
