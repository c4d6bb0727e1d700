"""Collects the figures of a ledger; one that cannot be measured is null, with its reason."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from seqexp.types import reason


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
        try:
            value = measure(*args)
        except Exception as error:
            self.lack(each, error)
            return None
        self.found |= zip(each, value if len(each) > 1 else (value,), strict=True)
        return value

    def lack(self, names: Iterable[str], why: Exception | str) -> None:
        """Record the reason why figures are missing."""
        self.reasons |= dict.fromkeys(names, why if isinstance(why, str) else reason(why))
