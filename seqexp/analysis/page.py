"""The page that a report is written on: one HTML file that asks for nothing from outside."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

from seqexp.analysis.figures import Figure
from seqexp.analysis.looks import INK, MUTED, PAPER, RULE

STYLE = Path(__file__).with_name("page.css")

DOCUMENT = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""


class Section(NamedTuple):
    """A section of the page; `body` is markup, and where there is none the section is left out."""

    title: str
    body: Sequence[str]


def document(title: str, lead: Iterable[str], sections: Iterable[Section]) -> str:
    """The whole page: what leads it, links to its sections, and these."""
    sections = [section for section in sections if section.body]
    links, body = [], []
    for number, section in enumerate(sections, start=1):
        text = escape(section.title)
        links.append(f'<a href="#section-{number}">{text}</a>')
        body += [f'<h2 id="section-{number}">{text}</h2>', *section.body]
    parts = [*lead, "<nav>", *links, "</nav>", *body]
    style = STYLE.read_text(encoding="utf-8")
    return DOCUMENT.format(title=escape(title), style=style, body="\n".join(parts))


def paragraph(text: str, kind: str) -> str:
    """A paragraph of plain text."""
    return f'<p class="{kind}">{escape(text)}</p>'


def table(kind: str, headings: Iterable[str], rows: Iterable[str]) -> str:
    """A table that scrolls by itself where the screen is narrow; `headings` are plain texts."""
    return rich_table(kind, [f"<th>{escape(text)}</th>" for text in headings], rows)


def rich_table(kind: str, headings: Iterable[str], rows: Iterable[str]) -> str:
    """The same with headings that are markup."""
    return (
        f'<div class="scroll" tabindex="0">\n<table class="{kind}">\n'
        f"<thead><tr>{''.join(headings)}</tr></thead>\n"
        "<tbody>\n" + "\n".join(rows) + "\n</tbody>\n</table>\n</div>"
    )


def texts(*cells: str) -> str:
    """A row of plain texts."""
    return f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"


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
