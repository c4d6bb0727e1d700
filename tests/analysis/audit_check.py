"""What an audit holds numbers against, one by one, and what it finds wrong."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from page_reader import Printed, numbers, printed
from recomputed import Truth
from slow_records import TABLED
from slow_statistics import NAN, Between, Expected

STATUSES = ("finished", "diverged", "failed", "running", "unscored", "unreadable")
SCALES = {"step_seconds": 1e3, "decode_seconds_per_token": 1e6, "prefill_seconds": 1e3}
SCALES |= {"program_bytes": 1e-6}
"""What a cost is multiplied by where it is shown; others are shown as they are."""

COLUMNS = {
    ("Parameters", ""): "parameters",
    ("Carry", "bytes"): "carry_bytes",
    ("Training", "FLOPs/token"): "training_flops_per_token",
    ("Inference", "FLOPs/token"): "inference_flops_per_token",
    ("Step", "ms"): "step_seconds",
    ("Decoding", "µs/token"): "decode_seconds_per_token",
    ("Prefill", "ms"): "prefill_seconds",
    ("Compilation", "s"): "compile_seconds",
    ("Program", "MB"): "program_bytes",
    ("Depth", "operations"): "training_sequential_depth",
}
"""Columns of the models' table, by heading and unit."""

COUNT = r"one|\d+"

NAME = "[\ue000-\uf8ff]"
"""A name, once it is replaced: the numbers in it are no findings."""


class Check:
    """Compares what a report says with what is recomputed.

    Attributes:
        wrong: what disagrees, and what is not accounted for.
        checked: how many numbers and texts were compared, by where they stand.
    """

    def __init__(self, truth: Truth) -> None:
        self.wrong: list[str] = []
        self.checked: Counter[str] = Counter()
        self._names = _names(truth)

    def same(self, where: str, said: Any, expected: Expected, close: float = 1e-9) -> None:
        """What is said in full must be what is expected; nothing stands for what is not known."""
        self.checked[where.split("/")[0]] += 1
        value = NAN if said in (None, "") else float(said)
        if isinstance(expected, Between):
            slack = close * max(map(abs, expected)) + 1e-12
            right = expected.low - slack <= value <= expected.high + slack
        elif not math.isfinite(expected):
            right = not math.isfinite(value)
        else:
            right = math.isclose(value, expected, rel_tol=close, abs_tol=1e-12)
        if not right:
            self.wrong.append(f"{where}: {said} instead of {expected}")

    def prints(self, where: str, said: Printed, expected: Expected) -> None:
        """What is printed must be what is expected, as far as its digits go."""
        self.checked[where.split("/")[0]] += 1
        if isinstance(expected, Between):
            half = said.unit / 2 + 1e-12
            right = expected.low - half <= said.value <= expected.high + half
        else:
            right = said.rounds(expected)
        if not right:
            self.wrong.append(f"{where}: {said.value} instead of {expected}")

    def prints_all(self, where: str, said: str, expected: Iterable[Expected]) -> None:
        known = [e for e in expected if isinstance(e, Between) or math.isfinite(e)]
        found = numbers(self.plain(said))
        if len(found) != len(known):
            self.wrong.append(f"{where}: {said!r} does not print the {len(known)} of {known}")
            return
        for one, value in zip(found, known, strict=True):
            self.prints(where, one, value)

    def equal(self, where: str, said: Any, expected: Any) -> None:
        self.checked[where.split("/")[0]] += 1
        if said != expected:
            self.wrong.append(f"{where}: {said!r} instead of {expected!r}")

    def unknown(self, where: str, what: Any) -> None:
        self.wrong.append(f"{where}: not accounted for: {what!r}")

    def percent(self, where: str, said: str, expected: Expected) -> None:
        low, high = expected if isinstance(expected, Between) else (expected, expected)
        if said == "more than 99":
            self.equal(where, low <= 1 and high >= 0.995, True)
            return
        one = printed(said)
        self.prints(where, Printed(one.value / 100, 0.01), Between(low, high))

    def seven(self, where: str, said: Sequence[Any], expected: Sequence[Expected]) -> None:
        """Numbers of seven digits."""
        self.equal(f"{where}/length", len(said), len(expected))
        for value, known in zip(said, expected, strict=False):
            self.same(where, value, known, close=1e-6)

    def plain(self, text: str) -> str:
        """The text with a character in the place of every name."""
        for name, mark in self._names.items():
            text = re.sub(rf"(?<![\w=.]){re.escape(name)}(?![\w=])", mark, text)
        return text

    def named(self, mark: str) -> str:
        return next(name for name, own in self._names.items() if own == mark)


def _names(truth: Truth) -> dict[str, str]:
    """Of each name the character that stands for it."""
    names = {name for run in truth.runs for name in (run.label, run.model_label, run.task)}
    names |= {name for s in truth.settings for name in (s.name, s.model)}
    names |= {run.folder.parent.name for run in truth.runs}
    names |= {name for task in truth.tasks for name in truth.baselines(task)}
    names |= {label for _, label, _ in truth.growth}
    return {name: chr(0xE000 + i) for i, name in enumerate(sorted(names, key=len)[::-1])}


def scaled(value: float | None, key: str) -> float:
    return NAN if value is None else value * SCALES.get(key, 1.0)


def counted(said: str) -> int:
    return 1 if said.lower() == "one" else int(said)


assert set(COLUMNS.values()) == set(TABLED)
