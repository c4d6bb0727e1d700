"""Suggestions for misspelled keys and names."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence
from typing import Any


def suggestion(key: str, known: Iterable[str]) -> str:
    """The rest of a message about an unknown key: the nearest one, or what there is beside it.

    Args:
        key: dotted.
        known: all keys there are, dotted.
    """
    known = [k for k in dict.fromkeys(known) if k != key and not k.startswith(f"{key}.")]
    if near := nearest(key, known):
        return f"did you mean {near}?"
    parent = key.rpartition(".")[0]
    while parent and not any(k.startswith(f"{parent}.") for k in known):
        parent = parent.rpartition(".")[0]
    start = f"{parent}." if parent else ""
    beside = dict.fromkeys(k[len(start) :].split(".")[0] for k in known if k.startswith(start))
    return f"{parent or 'a config'} has {', '.join(beside)}"


def nearest(key: str, known: Iterable[str]) -> str | None:
    """The known dotted key that is most like one that is not known, or None.

    In this order: the same end (`cell_dropout.rate`), the same spelling but for a slip, the same
    last part, its initials (`lr`), a last part but for a slip, a word of it (`clip`).

    Args:
        key: dotted.
        known: all keys there are, dotted.
    """
    known = list(known)
    parent, _, last = key.rpartition(".")
    tries: list[Callable[[str], Any]] = [
        lambda other: other.endswith(f".{key}"),
        lambda other: _alike(other.split("."), key.split(".")),
        lambda other: _last(other) == last,
        lambda other: len(last) > 1 and _initials(other) == last,
        lambda other: _ratio(last, _last(other)) >= 0.75,
        lambda other: last in _last(other).split("_"),
    ]
    for like in tries:
        if found := [other for other in known if like(other)]:
            return min(found, key=lambda k: (k.rpartition(".")[0] != parent, -_ratio(k, key)))
    return None


def nearest_name(name: str, names: Iterable[str]) -> str:
    """ ", did you mean NAME?" of the nearest of some names, or nothing."""
    near = difflib.get_close_matches(name, list(names), n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _alike(parts: Sequence[str], others: Sequence[str]) -> bool:
    return len(parts) == len(others) and all(
        _ratio(one, other) >= 0.75 for one, other in zip(parts, others, strict=True)
    )


def _ratio(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, one, other).ratio()


def _last(key: str) -> str:
    return key.rpartition(".")[2]


def _initials(key: str) -> str:
    return "".join(word[0] for word in _last(key).split("_") if word)
