"""Collects the figures of a ledger; one that cannot be measured is null, with its reason."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from seqexp.types import reason

T = TypeVar("T")


class Figures:
    """Gathers what a `CostLedger` is made of. Costs are optional: none of them stops training.

    Attributes:
        found: figures by their names in the ledger.
        reasons: why there is none, by the same names.
    """

    def __init__(self) -> None:
        self.found: dict[str, Any] = {}
        self.reasons: dict[str, str] = {}

    def take(self, names: str, measure: Callable[..., Any], *args: Any) -> Any:
        """The result of `measure(*args)`, or None if it raises anything.

        Args:
            names: of what it gives, separated by spaces; if there are several it gives a tuple.
            measure: a function.
            args: its arguments.
        """
        each = names.split()
        # In a tuple, for what it gives may be None.
        given = self.attempt(each, lambda: (measure(*args),))
        if given is None:
            return None
        (value,) = given
        self.found |= zip(each, value if len(each) > 1 else (value,), strict=True)
        return value

    def attempt(self, names: Iterable[str], do: Callable[[], T]) -> T | None:
        """What is to become figures of these names later; None, with the reason, if it raises
        anything."""
        try:
            return do()
        except Exception as error:
            self.lack(names, error)
            return None

    def lack(self, names: Iterable[str], why: Exception | str) -> None:
        """Record the reason why figures are missing."""
        self.reasons |= dict.fromkeys(names, why if isinstance(why, str) else reason(why))
