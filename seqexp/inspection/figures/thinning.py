"""Some of many inspections, spread evenly, the first and the last among them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")


def thinned(items: Sequence[Item], most: int) -> list[Item]:
    """At most `most` of some items, evenly spread, both ends among them.

    >>> thinned("abcdefg", 3)
    ['a', 'd', 'g']
    >>> thinned("ab", 3)
    ['a', 'b']
    """
    if len(items) <= most:
        return list(items)
    return [items[round(i * (len(items) - 1) / (most - 1))] for i in range(most)]
