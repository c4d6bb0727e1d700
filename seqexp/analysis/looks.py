"""How each model looks: one colour, marker and line, the same in every figure and table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

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


def looks(labels: Iterable[str]) -> dict[str, Look]:
    """A look for each label, in the order given; all differ, up to 28 of them.

    The first seven differ in colour and marker; each seven after them take the same colours, with
    another line and the markers moved on by one.
    """
    chosen: dict[str, Look] = {}
    for i, label in enumerate(dict.fromkeys(labels)):
        rounds, place = divmod(i, len(COLOURS))
        marker, glyph = MARKERS[(place + rounds) % len(MARKERS)]
        chosen[label] = Look(COLOURS[place], marker, glyph, LINES[rounds % len(LINES)])
    return chosen
