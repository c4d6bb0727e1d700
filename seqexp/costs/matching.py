"""The width at which a model meets a budget."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

from seqexp.types import SeqexpError


class Match(NamedTuple):
    """The width that was found, and the count that it reaches."""

    width: int
    reached: int


def match_width(
    count: Callable[[int], int], budget: int, *, multiple: int, tolerance: float
) -> Match:
    """The width, a multiple of `multiple`, whose count is nearest to the budget.

    The width doubles until its count reaches the budget, then bisection: about
    2 log2(width / multiple) calls of `count`. If the widths on both sides are equally near, it is
    the smaller.

    Args:
        count: the cost (parameters, FLOPs) of a width; must never fall as it grows.
        budget: the cost to meet.
        multiple: what the width must be divisible by.
        tolerance: how far the count may be from the budget, relative to it.

    Raises:
        SeqexpError: if the nearest count is out of tolerance, if the count stops growing short of
            the budget, or for a budget or multiple below 1.

    Example:
        >>> match_width(lambda width: width**2, 1000, multiple=8, tolerance=0.1)
        Match(width=32, reached=1024)
    """
    if budget < 1 or multiple < 1:
        raise SeqexpError(
            f"matching needs a budget and a multiple of at least 1, not {budget} and {multiple}"
        )

    @cache
    def reached(units: int) -> int:
        return count(units * multiple)

    low = high = 1
    while reached(high) < budget:
        low, high = high, 2 * high
        # Fewer flat doublings may come from widths that are rounded up to whole heads or blocks.
        start = high // 16
        if start and reached(high) <= reached(start):
            raise SeqexpError(
                f"the count stays at {reached(high):,} from width {start * multiple} to "
                f"{high * multiple}, short of the budget of {budget:,}: match a width that it "
                "depends on"
            )
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if reached(middle) < budget else (low, middle)

    units = min(low, high, key=lambda units: (abs(reached(units) - budget), units))
    match = Match(units * multiple, reached(units))
    gap = abs(match.reached - budget) / budget
    if gap > tolerance:
        finer = f"a multiple below {multiple}, " if multiple > 1 else ""
        raise SeqexpError(
            f"the nearest to a budget of {budget:,} is {match.reached:,} at width {match.width}, "
            f"{gap:.1%} off where {tolerance:.1%} is allowed: use {finer}another budget or a wider "
            "tolerance"
        )
    return match
