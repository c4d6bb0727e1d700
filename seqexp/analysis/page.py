"""The page that a report is written on: one HTML file that asks for nothing from outside."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

from plotly.offline import get_plotlyjs

from seqexp.analysis.figures import Figure
from seqexp.analysis.looks import INK, MUTED, PAPER, RULE

STYLE = Path(__file__).with_name("page.css")
SCRIPTS = [Path(__file__).with_name(name) for name in ("drawing.js", "explorer.js")]

# The policy has the browser refuse every request, should a script ever make one.
DOCUMENT = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data: blob:; \
style-src 'unsafe-inline'; script-src 'unsafe-inline'; form-action 'none'; base-uri 'none'">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
<main>
{body}
</main>
{scripts}
</body>
</html>
"""


class Section(NamedTuple):
    """A section of the page; `body` is markup, and where there is none the section is left out."""

    title: str
    body: Sequence[str]


def document(
    title: str, lead: Iterable[str], sections: Iterable[Section], data: Mapping[str, Any]
) -> str:
    """The whole page: what leads it, links to its sections, these, and the data of its plots."""
    sections = [section for section in sections if section.body]
    links, body = [], []
    for number, section in enumerate(sections, start=1):
        text = escape(section.title)
        links.append(f'<a href="#section-{number}">{text}</a>')
        body += [f'<h2 id="section-{number}">{text}</h2>', *section.body]
    parts = [*lead, "<nav>", *links, "</nav>", *body]
    # Within a script nothing but its end is markup.
    written = json.dumps(data, allow_nan=False, ensure_ascii=False).replace("<", "\\u003c")
    scripts = [
        f'<script type="application/json" id="study">{written}</script>',
        f"<script>{get_plotlyjs()}</script>",
        *(f"<script>{path.read_text(encoding='utf-8')}</script>" for path in SCRIPTS),
    ]
    return DOCUMENT.format(
        title=escape(title),
        style=STYLE.read_text(encoding="utf-8"),
        body="\n".join(parts),
        scripts="\n".join(scripts),
    )


def paragraph(text: str, kind: str) -> str:
    """A paragraph of plain text."""
    held = escape(text).replace(" %", "\u00a0%")
    return f'<p class="{kind}">{held}</p>'


def preformatted(text: str) -> str:
    """A text as it was written, which scrolls by itself where it is long."""
    return f'<pre tabindex="0">{escape(text)}</pre>'


def table(kind: str, headings: Iterable[str], rows: Iterable[str]) -> str:
    """A table that can be sorted, and scrolls by itself where the screen is narrow.

    `headings` are plain texts.
    """
    return rich_table(kind, [heading(text) for text in headings], rows)


def rich_table(kind: str, headings: Iterable[str], rows: Iterable[str]) -> str:
    """The same with headings that are markup."""
    return (
        f'<div class="scroll" tabindex="0">\n<table class="{f"sortable {kind}".strip()}">\n'
        f"<thead><tr>{''.join(headings)}</tr></thead>\n"
        "<tbody>\n" + "\n".join(rows) + "\n</tbody>\n</table>\n</div>"
    )


def heading(text: str) -> str:
    """The heading of a column of texts."""
    return f"<th>{escape(text)}</th>"


def number_heading(text: str, unit: str = "") -> str:
    """The heading of a column of numbers, with their unit below."""
    return f'<th class="number">{escape(text)}<span class="unit">{escape(unit)}</span></th>'


def number(value: float, text: str, kind: str = "") -> str:
    """A cell: what it says, and the value that it is sorted by, "" where there is none."""
    dot = '<span class="dot">•</span>' if kind == "front" else ""
    sorts = f"{value:.17g}" if math.isfinite(value) else ""
    return f'<td class="{f"number {kind}".strip()}" data-value="{sorts}">{dot}{escape(text)}</td>'


def details(summary: str, *parts: str) -> str:
    """What is seen on demand."""
    return f"<details><summary>{escape(summary)}</summary>\n" + "\n".join(parts) + "\n</details>"


def texts(*cells: str) -> str:
    """A row of plain texts."""
    return row(*(f"<td>{escape(cell)}</td>" for cell in cells))


def row(*cells: str) -> str:
    """A row of cells that are markup."""
    return f"<tr>{''.join(cells)}</tr>"


def definitions(entries: Mapping[str, str]) -> str:
    """Names, and what there is to say on each."""
    items = (f"<dt>{escape(key)}</dt><dd>{escape(value)}</dd>" for key, value in entries.items())
    return "<dl>\n" + "\n".join(items) + "\n</dl>"


def grid(kind: str, figures: Iterable[Figure]) -> str:
    """Figures side by side, as many as fit."""
    drawn = "\n".join(
        f"<figure>{inline(figure)}<figcaption>{escape(figure.caption)}</figcaption></figure>"
        for figure in figures
    )
    return f'<div class="figures {kind}">\n{drawn}\n</div>'


def panel(draws: str, controls: Sequence[str], about: str, task: str = "") -> str:
    """A place for a plot that explorer.js draws; it shows only where scripts may run.

    Args:
        draws: "comparison", "learning", "rates", "trials" or "growth".
        controls: markup of what the plot can be asked.
        about: what is seen, for those who do not see.
        task: the plot's task, if it has but one.
    """
    return (
        f'<div class="panel" data-draws="{draws}" data-task="{escape(task)}" hidden>\n'
        f'<div class="controls">{"".join(controls)}</div>\n'
        f'<div class="plot" role="figure" aria-label="{escape(about)}"></div>\n'
        '<p class="said note" aria-live="polite"></p>\n</div>'
    )


def select(name: str, text: str, options: Mapping[str, str] | None = None) -> str:
    """A choice among options, or among those that the script finds in the data."""
    entries = (options or {}).items()
    listed = (f'<option value="{key}">{escape(says)}</option>' for key, says in entries)
    return f'<label>{escape(text)} <select name="{name}">{"".join(listed)}</select></label>'


def checkbox(name: str, text: str) -> str:
    return f'<label><input type="checkbox" name="{name}"> {escape(text)}</label>'


def without_scripts(markup: str) -> str:
    """What stands in the place of the plots where scripts may not run."""
    return f"<noscript>\n{markup}\n</noscript>"


def inline(figure: Figure) -> str:
    """The plot of a figure as a part of the page: as wide as its place, its ids its own.

    Ink, rules and paper take the colours of the page, which follow the reader's light or dark mode.
    The legend lies below what is shown: the page has one for all plots.
    """
    svg = figure.svg[figure.svg.index("<svg") :]
    svg = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", svg, count=1, flags=re.DOTALL)
    shown = f'viewBox="0 0 {figure.width:g} {figure.height:g}"'
    label = f'role="img" aria-label="{escape(figure.caption)}"'
    svg = re.sub(r"<svg[^>]*>", f"<svg {shown} {label}>", svg, count=1)
    svg = svg.replace("xlink:href", "href")
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{figure.name}-", svg)
    for colour, own in ((INK, "currentColor"), (MUTED, "var(--muted)"), (RULE, "var(--rule)")):
        svg = svg.replace(colour, own)
    return svg.replace(PAPER, "var(--paper)").strip()
