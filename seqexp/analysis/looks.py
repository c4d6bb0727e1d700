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


def looks(runs: pd.DataFrame) -> dict[str, Look]:
    """A look for each label among the runs of a study, in an order in which 8 comes before 16.

    Colour and marker are those of the model, whatever the task and however it was trained; the line
    tells ways to train it apart. Up to seven models (`model_label`) have a colour each. Where there
    are more, those of one kind (`model`) share it, and differ in markers and lines: all of them do,
    for up to seven kinds in up to seven variants.
    """
    kinds = dict(zip(runs["model_label"], runs["model"], strict=True))
    names = sorted(kinds, key=_natural)
    model = dict(zip(runs["label"], runs["model_label"], strict=True))
    families: dict[str, list[str]] = defaultdict(list)
    for name in names:
        families[name if len(names) <= len(COLOURS) else kinds[name]].append(name)
    trained: dict[str, list[str]] = defaultdict(list)
    for label in sorted(model, key=_natural):
        trained[model[label]].append(label)
    found = {}
    for i, family in enumerate(families.values()):
        rounds, place = divmod(i, len(COLOURS))
        for turn, name in enumerate(family, start=rounds):
            marker, glyph = MARKERS[(place + turn) % len(MARKERS)]
            for setting, label in enumerate(trained[name]):
                line = LINES[(turn + setting) % len(LINES)]
                found[label] = Look(COLOURS[place], marker, glyph, line)
    return {label: found[label] for label in sorted(model, key=_natural)}


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
