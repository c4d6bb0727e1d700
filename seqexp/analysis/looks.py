"""How each model looks: one colour, marker and line, the same in every figure and table."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd

INK = "#1b1d20"
MUTED = "#70757c"
RULE = "#dcdfe3"
PAPER = "#ffffff"

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", INK)
"""Seven of the eight of Okabe & Ito, "Color universal design", https://jfly.uni-koeln.de/color/.
Their yellow can not be told from white paper."""

MARKERS = (("o", "●"), ("s", "■"), ("^", "▲"), ("D", "◆"), ("v", "▼"), ("p", "⬟"), ("h", "⬢"))
LINES: tuple[str | tuple[int, tuple[float, ...]], ...]
LINES = ("-", (0, (4, 1.5)), (0, (1, 1.2)), (0, (6, 1.5, 1, 1.5)))


class Look(NamedTuple):
    """A colour, matplotlib's marker, the same marker as a letter, and matplotlib's line style."""

    colour: str
    marker: str
    glyph: str
    line: str | tuple[int, tuple[float, ...]]


def looks(runs: pd.DataFrame, others: pd.DataFrame | None = None) -> dict[str, Look]:
    """A look for each label among the runs of a study, in an order in which 8 comes before 16.

    A look is that of the model (`model_label`), whatever the task and however it was trained. Each
    kind of model (`model`) has a colour, and its variants differ in markers and lines: all of them
    do, for up to seven kinds in up to seven variants. Of one kind alone up to seven variants have a
    colour each.

    Args:
        runs: of the study.
        others: more with the same columns, which take no look from those.
    """
    kinds: dict[str, str] = {}
    model: dict[str, str] = {}
    for part in [runs] if others is None else [runs, others]:
        known = zip(part["model_label"], part["model"], strict=True)
        for name, kind in sorted(known, key=lambda pair: _natural(pair[0])):
            kinds.setdefault(name, kind)
        known = zip(part["label"], part["model_label"], strict=True)
        for label, name in sorted(known, key=lambda pair: _natural(pair[0])):
            model.setdefault(label, name)
    alone = len(set(kinds.values())) == 1 and len(kinds) <= len(COLOURS)
    families: dict[str, list[str]] = defaultdict(list)
    for name, kind in kinds.items():
        families[name if alone else kind].append(name)
    found = {}
    for i, family in enumerate(families.values()):
        rounds, place = divmod(i, len(COLOURS))
        for turn, name in enumerate(family, start=rounds):
            marker, glyph = MARKERS[(place + turn) % len(MARKERS)]
            found[name] = Look(COLOURS[place], marker, glyph, LINES[turn % len(LINES)])
    return {label: found[name] for label, name in model.items()}


def model_looks(runs: pd.DataFrame, looks: Mapping[str, Look]) -> dict[str, Look]:
    """Of each model among the runs the look of its first label, however it was trained."""
    model = dict(zip(runs["label"], runs["model_label"], strict=True))
    found: dict[str, Look] = {}
    for label in (label for label in looks if label in model):
        found.setdefault(model[label], looks[label])
    return found


def _natural(label: str) -> list[tuple[str, float]]:
    """Sorts numbers by their size: the label in pieces, each a text and the number after it."""
    pieces = re.findall(r"(\D*)(\d+(?:\.\d+)?(?:e[-+]?\d+)?)?", label)
    return [(text, float(number or 0)) for text, number in pieces]
