"""The curves of one run: its metrics over the training steps."""

from __future__ import annotations

from bisect import bisect_left
from itertools import chain, pairwise
from pathlib import Path
from typing import Any, NamedTuple

from seqexp.runs.growing import GrowingLines
from seqexp.runs.schema import Goal, is_number

SPLITS = ("train", "valid")
PREFIXES = tuple(f"{split}/" for split in SPLITS)


class Piece(NamedTuple):
    """A part of a run's curves of one metric.

    Attributes:
        generation: counts how often the curves were written anew; pieces of one belong together.
        first: how many points stand before it.
        steps: of each point.
        train: values, None where a step has none or one that is not finite.
        valid: the same on validation.
    """

    generation: int
    first: int
    steps: list[int]
    train: list[float | None]
    valid: list[float | None]


class Curves:
    """The metrics of a run, which grow as it trains.

    Attributes:
        steps: recorded so far, rising.
        generation: rises when what was recorded was taken back, as by a run that resumes.
    """

    def __init__(self, path: Path) -> None:
        self._lines = GrowingLines(path)
        self._values: dict[str, list[Any]] = {}
        self.steps: list[int] = []
        self.generation = 0

    @property
    def written(self) -> float:
        """When they were last written, in seconds since 1970; 0 where there are none."""
        return self._lines.written

    @property
    def metrics(self) -> set[str]:
        """The names of the metrics of training and validation: `{"loss", "accuracy"}`."""
        return {name.partition("/")[2] for name in self._values}

    def read(self) -> None:
        """Read what is new. Raises OSError where that can't be read."""
        records, anew = self._lines.news()
        if anew:
            self._keep(0)
        if _rises([*self.steps[-1:], *(record.get("step") for record in records)]):
            self._extend(records)
            return
        for record in records:
            if isinstance(record.get("step"), int):
                # A step that is written again: the later line counts.
                self._keep(bisect_left(self.steps, record["step"]))
                self._extend([record])

    def best(self, metric: str, goal: Goal) -> tuple[float, int] | None:
        """The best validation value of a metric, and its first step; None where there is none."""
        sign = 1 if goal == "min" else -1
        pairs = zip(self._of(f"valid/{metric}"), self.steps, strict=True)
        known = [(sign * value, step) for value, step in pairs if value is not None]
        if not known:
            return None
        value, step = min(known)
        return sign * value, step

    def piece(self, metric: str, generation: int, known: int) -> Piece:
        """The points behind the first `known` of a generation; all of them for another one."""
        first = min(known, len(self.steps)) if generation == self.generation else 0
        train, valid = (self._of(f"{split}/{metric}", first) for split in SPLITS)
        return Piece(self.generation, first, self.steps[first:], train, valid)

    def _of(self, name: str, first: int = 0) -> list[float | None]:
        values = self._values.get(name, [])[first:]
        known = [value if is_number(value) else None for value in values]
        return known + [None] * (len(self.steps) - first - len(known))

    def _keep(self, points: int) -> None:
        """Keep the first points alone."""
        if points < len(self.steps):
            self.generation += 1
            _cut(self.steps, points)
            for values in self._values.values():
                _cut(values, points)

    def _extend(self, records: list[dict[str, Any]]) -> None:
        """Add records whose steps rise. What their values are is looked at when they are asked for:
        of a large study few are."""
        for name in dict.fromkeys(chain.from_iterable(records)):
            if name.startswith(PREFIXES):
                values = self._values.setdefault(name, [])
                values += [None] * (len(self.steps) - len(values))
                values += [record.get(name) for record in records]
        self.steps += [record["step"] for record in records]


def _rises(steps: list[Any]) -> bool:
    return all(isinstance(s, int) for s in steps) and all(a < b for a, b in pairwise(steps))


def _cut(values: list[Any], length: int) -> None:
    del values[length:]
