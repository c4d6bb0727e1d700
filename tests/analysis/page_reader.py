"""What a reader of the report's page sees: its texts and tables, section by section."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import NamedTuple

SUPERSCRIPTS = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
PREFIXES = {"k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
PLAIN = r"[-−]?\d(?:[\d,]*\d)?(?:\.\d+)?"
NUMBER = rf"(?:{PLAIN}(?:e[+-]?\d+|·10[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+| [kMGT]\b)?)"
SCALED = r"\(([^()±]+) ± ([^()±]+)\)·10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)"
BLOCKS = {"p", "h1", "h2", "h3", "summary", "figcaption", "dt", "dd", "pre", "th", "td", "title"}
BLOCKS |= {"option", "label", "a", "nav", "div", "span", "noscript"}
UNIT = "\0"
"""Parts what a heading says from its unit."""

VOID = {"meta", "br", "input", "path", "use"}


class Printed(NamedTuple):
    """A number as it is printed: its value, and how much its last digit counts."""

    value: float
    unit: float

    def rounds(self, value: float) -> bool:
        """Whether the value is written so."""
        return abs(self.value - value) <= self.unit / 2 * (1 + 1e-6) + 1e-15


def numbers(text: str) -> list[Printed]:
    """All numbers that a text prints: 1,520, 0.0123 ± 0.0011, 52.1 k, (3.10 ± 0.40)·10⁻⁷."""
    found = []
    for scaled in re.finditer(rf"{SCALED}|{NUMBER}", text):
        if scaled[3]:
            power = 10.0 ** int(scaled[3].translate(SUPERSCRIPTS))
            pair = (printed(scaled[1]), printed(scaled[2]))
            found += [Printed(one.value * power, one.unit * power) for one in pair]
        else:
            found.append(printed(scaled[0]))
    return found


def printed(text: str) -> Printed:
    """One number as it is printed."""
    scale = 1.0
    digits = text.replace(",", "").replace("−", "-")
    if digits[-1] in PREFIXES:
        scale, digits = PREFIXES[digits[-1]], digits[:-2]
    if "·" in digits:
        digits, power = digits.split("·10")
        scale = 10.0 ** int(power.translate(SUPERSCRIPTS))
    mantissa, _, exponent = digits.partition("e")
    scale *= 10.0 ** int(exponent or 0)
    decimals = len(mantissa.partition(".")[2])
    return Printed(float(mantissa) * scale, 10.0**-decimals * scale)


class Cell(NamedTuple):
    """A cell of a table: what it says, its value ("" for none, None for a text), and its class."""

    text: str
    value: str | None
    kind: str


@dataclass
class Table:
    section: str
    title: str
    headings: list[tuple[str, str]] = field(default_factory=list)
    rows: list[list[Cell]] = field(default_factory=list)


class Text(NamedTuple):
    """A text outside of the tables, and where it stands."""

    section: str
    title: str
    tag: str
    kind: str
    text: str

    @property
    def quoted(self) -> bool:
        """Whether it is as it stands in the records: commands, methods, the manifest, samples."""
        return self.tag in ("dd", "pre")


class Page(HTMLParser):
    """Reads a page; scripts, styles and drawings are no text of it, the study's data is kept."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.texts: list[Text] = []
        self.tables: list[Table] = []
        self.data = ""
        self.section = self.title = ""
        self._open: list[tuple[str, str, str]] = []  # tag, class, text so far
        self._hidden = 0
        self._script = ""
        self.feed(markup)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        kind = told.get("class") or ""
        if tag in ("script", "style", "svg") or self._hidden:
            self._script = told.get("id") or "" if tag == "script" else ""
            self._hidden += tag not in VOID
            return
        if tag == "table":
            self.tables.append(Table(self.section, self.title))
        if tag == "tr":
            self.tables[-1].rows.append([])
        if tag in VOID:
            return
        value = told.get("data-value")
        self._open.append((tag, kind if value is None else f"{kind}\n{value}", ""))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._hidden:
            self._hidden -= 1
            return
        opened, kind, text = self._open.pop()
        assert opened == tag
        text = " ".join(text.split())
        table = self.tables[-1] if self.tables else None
        inside = any(one[0] == "table" for one in self._open)
        if tag == "h2":
            self.section, self.title = text, ""
        elif tag in ("h3", "summary"):
            self.title = text
        if tag == "details":
            self.title = ""
        if inside and table is not None:
            if tag == "span" and kind == "unit":
                self._add(UNIT + text)
            elif tag == "span" and kind not in ("mark", "dot"):
                self._add(text)
            elif tag == "th":
                heading, _, unit = text.partition(UNIT)
                table.headings.append((heading.strip(), unit.strip()))
            elif tag == "td":
                kind, told, value = kind.partition("\n")
                text = " ".join(text.replace(UNIT, " ").split())
                table.rows[-1].append(Cell(text, value if told else None, kind))
            elif tag == "tr" and not table.rows[-1]:
                table.rows.pop()
        elif tag in ("b", "strong", "em", "code", "a", "span") and self._open[-1][0] in BLOCKS:
            self._add(text)
        elif text:
            self.texts.append(Text(self.section, self.title, tag, kind, text))

    def handle_data(self, data: str) -> None:
        if self._hidden:
            self.data += data if self._script == "study" else ""
        elif self._open:
            self._add(data)

    def _add(self, text: str) -> None:
        if self._open:
            tag, kind, before = self._open.pop()
            self._open.append((tag, kind, before + text))
