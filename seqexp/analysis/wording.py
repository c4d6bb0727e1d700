"""Counts, lists, shares and costs in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from seqexp.analysis.records import STATUSES, UNREADABLE, UNSCORED


def several(number: int, noun: str) -> str:
    """One run, 2 runs."""
    return f"one {noun}" if number == 1 else f"{number} {noun}s"


def listed(words: Sequence[str]) -> str:
    """a, b and c."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def endings(counts: Mapping[str, int]) -> str:
    """How runs ended, by their statuses: 2 finished, 1 test score not finite."""
    words = {UNSCORED: "test score not finite", UNREADABLE: "unreadable record"}
    return listed([f"{n} {words.get(status, status)}" for status, n in counts.items() if n])


def not_in_mean(row: Mapping[Any, Any]) -> str:
    """The runs of a row of the table that its mean leaves out."""
    return endings({status: row[status] for status in STATUSES if status != "finished"})


def share(probability: float) -> str:
    """Whole percent; what is not certain is not called so."""
    if 0.995 <= probability < 1:
        return "more than 99 %"
    if 0 < probability <= 0.005:
        return "less than 1 %"
    return f"{100 * probability:.0f} %"


def costs_in_words(keys: Sequence[str], axes: Mapping[str, str]) -> str:
    """Some of the costs in words, all of them and most of them by what is missing."""
    missing = [name for key, name in axes.items() if key not in keys]
    if not missing:
        return "every cost"
    if len(missing) == 1 and len(axes) > 3:
        return f"every cost but {missing[0]}"
    return listed([axes[key] for key in keys])
