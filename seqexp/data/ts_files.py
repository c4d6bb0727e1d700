"""The `.ts` files of the UCR and UEA archives: labelled series of one or several dimensions."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import numpy as np

from seqexp.types import SeqexpError

TAGS = {
    "problemname": "text",
    "timestamps": "boolean",
    "missing": "boolean",
    "univariate": "boolean",
    "dimension": "integer",
    "dimensions": "integer",
    "equallength": "boolean",
    "serieslength": "integer",
    "classlabel": "label",
    "targetlabel": "label",
}


class LabelledSeries(NamedTuple):
    """What a `.ts` file holds.

    Attributes:
        series: `[t, D]` float64 each, t at least 1, NaN where a value is missing.
        labels: of each; () where there are none.
        classes: in the order of the header; () where labels are numbers, or there are none.
    """

    series: tuple[np.ndarray, ...]
    labels: tuple[str, ...]
    classes: tuple[str, ...]


def read_ts(path: Path | str) -> LabelledSeries:
    """A `.ts` file: tags, each on a line that begins with `@`, and after `@data` a case a line.

    A case is its dimensions, separated by `:`, and behind them its label; a dimension is its
    values, separated by `,`, with `?` or NaN where one is missing:

        @univariate false
        @dimensions 2
        @classLabel true walk run
        @data
        0.5,?,1.5:3,3,4:walk

    Lines that are blank or begin with `#` or `%` don't count, tags may be written in any case, and
    lines end in LF or CRLF. What the header says of lengths, dimensions, missing values and classes
    is checked. The format is specified at
    https://www.aeon-toolkit.org/en/stable/api_reference/data_format.html.

    Raises:
        SeqexpError: the file is missing, empty, malformed, or has time stamps, which are not read:
            with its line number.
    """
    path = Path(path)
    if not path.is_file():
        raise SeqexpError(f"{path} is not there, or is no file: correct the path")
    header, begun = _Header(path), False
    series: list[np.ndarray] = []
    labels: list[str] = []
    for line, raw in enumerate(path.read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        raw = raw.strip()
        # Not decoded: the comments of some archives are in other encodings.
        if not raw or raw[:1] in (b"#", b"%"):
            continue
        header.line = line
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            header.fail("it is not UTF-8: save the file as UTF-8")
        if not begun and text.startswith("@"):
            begun = header.read(text)
        elif begun:
            case, label = _case(text, header)
            series.append(case)
            labels += [] if label is None else [label]
        else:
            header.fail("a tag is expected here, such as @data, which comes before the series")
    if not series:
        raise SeqexpError(f"{path} holds no series: they are expected after a line that says @data")
    return LabelledSeries(tuple(series), tuple(labels), tuple(header.classes))


@dataclass
class _Header:
    """What the tags say, and how far the file is read."""

    path: Path
    line: int = 0
    tags: dict[str, Any] = field(default_factory=dict)
    classes: list[str] = field(default_factory=list)
    columns: int | None = None
    steps: int | None = None

    def fail(self, what: str) -> NoReturn:
        raise SeqexpError(f"{self.path}, line {self.line}: {what}")

    def read(self, text: str) -> bool:
        """Take in a tag; True for `@data`."""
        tag, *words = text[1:].split()
        name = tag.lower()
        if name == "data":
            self._agree()
            return True
        if name not in TAGS:
            self.fail(f"@{tag} is no tag of this format: leave it out, or correct it")
        kind = TAGS[name]
        if kind == "text":
            self.tags[name] = " ".join(words)
            return False
        if not words:
            self.fail(f"@{tag} says nothing")
        if kind == "integer":
            if not words[0].isdecimal() or int(words[0]) < 1:
                self.fail(f"@{tag} needs a number of at least 1, not {words[0]!r}")
            self.tags[name] = int(words[0])
            return False
        if words[0].lower() not in ("true", "false"):
            self.fail(f"@{tag} is true or false, not {words[0]!r}")
        self.tags[name] = words[0].lower() == "true"
        if kind == "label":
            self.classes += words[1:]
        return False

    def _agree(self) -> None:
        """Raises SeqexpError where tags contradict each other or aren't supported."""
        if self.tags.get("timestamps"):
            self.fail("@timeStamps true is not read here: write the values alone")
        if self.tags.get("classlabel") and not self.classes:
            self.fail("@classLabel true must name the classes")
        if self.tags.get("classlabel") and self.tags.get("targetlabel"):
            self.fail("there is both @classLabel true and @targetLabel true: keep one")
        dimensions = self.tags.get("dimensions", self.tags.get("dimension"))
        univariate = self.tags.get("univariate")
        if dimensions is not None and univariate is not None and univariate != (dimensions == 1):
            self.fail("@univariate and @dimensions contradict each other")
        self.columns = 1 if univariate else dimensions
        if self.tags.get("equallength") is not False:
            self.steps = self.tags.get("serieslength")

    @property
    def labelled(self) -> bool:
        return bool(self.tags.get("classlabel") or self.tags.get("targetlabel"))


def _case(text: str, header: _Header) -> tuple[np.ndarray, str | None]:
    dimensions, label = text.split(":"), None
    if header.labelled:
        label = dimensions.pop().strip()
        if header.classes and label not in header.classes:
            header.fail(f"{label!r} is none of the classes, {', '.join(header.classes)}")
        if not header.classes and not np.isfinite(_number(label, "the label", header)):
            header.fail(f"the label is {label!r}, no number")
    if header.columns is None:
        header.columns = len(dimensions)
    if len(dimensions) != header.columns:
        header.fail(
            f"{len(dimensions)} dimensions, where there should be {header.columns}, separated by :"
        )
    values = [
        [
            _number(cell, f"dimension {number}, step {step}", header)
            for step, cell in enumerate(dimension.split(","), 1)
        ]
        for number, dimension in enumerate(dimensions, 1)
    ]
    if len({len(dimension) for dimension in values}) > 1:
        header.fail(f"its dimensions have different lengths, {[len(each) for each in values]}")
    case = np.array(values, np.float64).T
    if header.steps is None and header.tags.get("equallength"):
        header.steps = len(case)
    if header.steps is not None and len(case) != header.steps:
        header.fail(f"{len(case)} steps, where all series should have {header.steps}")
    return case, label


def _number(cell: str, place: str, header: _Header) -> float:
    cell = cell.strip()
    if cell == "?" or cell.lower() == "nan":
        if header.tags.get("missing") is False:
            header.fail(f"{place} is missing, and the header says @missing false")
        return math.nan
    try:
        value = math.nan if "_" in cell else float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        header.fail(f"{place} is {cell!r}, no number (? marks a missing one)")
    return value
