"""How each model looks: one colour, marker and line, the same in every figure and table."""

from __future__ import annotations

import re
from collections import defaultdict
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
LINES = ("-", (0, (4, 1.5)), (0, (1, 1.2)), (0, (6, 1.5, 1, 1.5)))


class Look(NamedTuple):
    """A colour, matplotlib's marker, the same marker as a letter, and matplotlib's line style."""

    colour: str
    marker: str
    glyph: str
    line: str | tuple[int, tuple[float, ...]]


def looks(chosen: pd.DataFrame) -> dict[str, Look]:
    """A look for each label among rows of the table, in an order in which 8 comes before 16.

    Up to seven labels have a colour and a marker each. Where there are more, the settings of a
    model share its colour, and differ in their markers and lines. All looks differ, for up to seven
    models in up to seven settings.
    """
    models = dict(zip(chosen["label"], chosen["model"], strict=True))
    labels = sorted(models, key=_natural)
    families: dict[str, list[str]] = defaultdict(list)
    for label in labels:
        families[label if len(labels) <= len(COLOURS) else models[label]].append(label)
    found = {}
    for i, family in enumerate(families.values()):
        rounds, place = divmod(i, len(COLOURS))
        for turn, label in enumerate(family, start=rounds):
            marker, glyph = MARKERS[(place + turn) % len(MARKERS)]
            found[label] = Look(COLOURS[place], marker, glyph, LINES[turn % len(LINES)])
    return {label: found[label] for label in labels}


def _natural(label: str) -> list[tuple[str, float]]:
    """Sorts numbers by their size: the label in pieces, each a text and the number after it."""
    pieces = re.findall(r"(\D*)(\d+(?:\.\d+)?(?:e[-+]?\d+)?)?", label)
    return [(text, float(number or 0)) for text, number in pieces]
