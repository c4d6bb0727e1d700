"""What cells and layers demand of their arguments."""

from __future__ import annotations

from math import isfinite
from typing import Any

from seqexp.types import SeqexpError, is_number


def require_sizes(in_features: int, features: int) -> None:
    """Raise SeqexpError unless both are whole numbers of at least 1."""
    require_whole(in_features=in_features, features=features)


def require_whole(**sizes: Any) -> None:
    """Raise SeqexpError unless all are whole numbers of at least 1."""
    for name, size in sizes.items():
        if type(size) is not int or size < 1:
            raise SeqexpError(f"{name} must be a whole number of at least 1, not {size!r}")


def require_flag(**flags: Any) -> None:
    """Raise SeqexpError unless all are true or false."""
    for name, flag in flags.items():
        if type(flag) is not bool:
            raise SeqexpError(f"{name} must be true or false, not {flag!r}")


def require_number(
    name: str,
    value: float,
    *,
    above: float | None = None,
    at_least: float | None = None,
    at_most: float | None = None,
) -> None:
    """Raise SeqexpError unless `value` is a finite number within these bounds."""
    if not (
        is_number(value)
        and isfinite(value)
        and (above is None or value > above)
        and (at_least is None or value >= at_least)
        and (at_most is None or value <= at_most)
    ):
        bounds = {"above": above, "at least": at_least, "at most": at_most}
        words = " and ".join(f"{word} {x:g}" for word, x in bounds.items() if x is not None)
        within = f" of {words}" if words.startswith("at") else f" {words}" if words else ""
        raise SeqexpError(f"{name} must be a number{within}, not {value!r}")
