"""The table of a task's models, as a part of the page."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

import pandas as pd

from seqexp.analysis.axes import TABLED, Axis
from seqexp.analysis.looks import INK, Look
from seqexp.analysis.notation import NOTHING, count, digits, interval, shortened, spoken
from seqexp.analysis.page import heading, number, number_heading, rich_table
from seqexp.analysis.records import STATUSES
from seqexp.analysis.table import recorded

WRITERS = {
    "parameters": count,
    "carry_bytes": count,
    "training_flops_per_token": shortened,
    "inference_flops_per_token": shortened,
}
"""How costs are written that do not have three digits."""


def legend(rows: pd.DataFrame, looks: Mapping[str, Look]) -> str:
    """What the models of one task look like in the figures."""
    chosen = rows.loc[rows["chosen"]]
    names = dict(zip(chosen["label"], chosen["name"], strict=True))
    entries = []
    for label in (label for label in looks if label in names):
        look = looks[label]
        line = (
            f'<svg class="line" viewBox="0 0 26 6" aria-hidden="true"><line x2="26" y1="3" y2="3" '
            f'stroke="{_colour(look)}" stroke-width="2" stroke-dasharray="{_dashes(look)}"/></svg>'
        )
        entries.append(f"<span>{line}{_mark(look)}{escape(names[label])}</span>")
    return f'<p class="legend">{"".join(entries)}</p>'


def model_table(rows: pd.DataFrame, looks: Mapping[str, Look]) -> str:
    """The rows of one task in the study's table, with the costs that are known of any model."""
    axes = recorded(TABLED, rows)
    scores = [spoken(name) for name in rows["score"] if isinstance(name, str)]
    score = scores[0] if scores else ""
    sampled = bool(rows["test_sampling_half"].notna().any())
    headings = [heading("Model"), number_heading("Seeds"), number_heading("Test", score)]
    headings += [number_heading("Sampling", "of the test")] * sampled
    headings += [number_heading("Validation", score)]
    headings += [number_heading(axis.heading, axis.unit) for axis in axes]
    records = rows.to_dict("records")
    best = next((r["test"] for r in records if r["chosen"] and r["n"]), None)
    cells = [
        _row(row, axes, looks, row["chosen"] and row["test"] == best, sampled) for row in records
    ]
    return rich_table("models", headings, cells)


def _row(
    row: dict[Any, Any], axes: list[Axis], looks: Mapping[str, Look], best: bool, sampled: bool
) -> str:
    mark = _mark(looks[row["label"]]) if row["chosen"] else '<span class="mark"></span>'
    cells = [
        f'<td class="name">{mark}{_name(row)}</td>',
        number(row["n"], _seeds(row)),
        number(row["test"], interval(row["test"], row["test_half"]), "best" if best else ""),
    ]
    half = row["test_sampling_half"]
    cells += [number(half, f"± {half:.2g}" if half == half else NOTHING)] * sampled
    cells.append(number(row["valid"], interval(row["valid"], row["valid_half"])))
    for axis in axes:
        shown = row[axis.key] * axis.scale
        text = WRITERS.get(axis.key, digits)(shown)
        cells.append(number(shown, text, "front" if row.get(f"front/{axis.key}", False) else ""))
    kind = "" if row["chosen"] else ' class="other"'
    return f"<tr{kind}>{''.join(cells)}</tr>"


def _name(row: Mapping[Any, Any]) -> str:
    """What the model is called, and smaller, how it was trained where that was chosen."""
    name, label = row["name"], row["label"]
    if name == label or not label.startswith(f"{name} "):
        return escape(label)
    return f'{escape(name)} <span class="unit">{escape(label.removeprefix(name).strip())}</span>'


def _mark(look: Look) -> str:
    return f'<span class="mark" style="color: {_colour(look)}">{look.glyph}</span>'


def _colour(look: Look) -> str:
    return "currentColor" if look.colour == INK else look.colour


def _dashes(look: Look) -> str:
    """SVG's name for matplotlib's line style, which counts in widths of the line."""
    if isinstance(look.line, str):
        return "none"
    return " ".join(f"{2 * length:g}" for length in look.line[1])


def _seeds(row: dict[Any, Any]) -> str:
    """How many seeds the means are over, of how many that were started."""
    started = sum(row[status] for status in STATUSES)
    return f"{row['n']}" if row["n"] == started else f"{row['n']} of {started}"
