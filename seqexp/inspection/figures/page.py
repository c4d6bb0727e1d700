"""The page of a run: the figures of each inspection, with a slider over the steps of training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Any

import matplotlib

from seqexp.analysis import canvas
from seqexp.analysis.clipping import recorded_clipping
from seqexp.analysis.figures import Figure
from seqexp.analysis.notation import count, digits, percent, spoken
from seqexp.analysis.page import (
    DOCUMENT,
    STYLE,
    definitions,
    heading,
    inline,
    number,
    number_heading,
    paragraph,
    rich_table,
    row,
    without_scripts,
)
from seqexp.analysis.records import read_lines
from seqexp.inspection.figures.drawing import inspections
from seqexp.inspection.figures.panel import FRAME
from seqexp.inspection.figures.pictures import Picture, pictures, training_pictures
from seqexp.inspection.figures.shared import shared
from seqexp.inspection.figures.shown_samples import sample_parts
from seqexp.inspection.figures.thinning import thinned
from seqexp.inspection.figures.training import SCALARS
from seqexp.runs.inspections import FOLDER, PAGE, numbers, read_arrays
from seqexp.runs.record import read_run
from seqexp.runs.schema import METRICS
from seqexp.runs.store import write_atomic
from seqexp.types import SeqexpError

SCRIPT = Path(__file__).with_name("slider.js")

MOST = 10
"""So many steps are drawn; of more some are left out, but neither the first nor the last."""

LONG = "overflow-wrap: anywhere"
STICKY = "position: sticky; top: 0; z-index: 1; padding: 0.5rem 0; background: var(--paper)"


def write_page(run_directory: Path) -> Path:
    """Write the page of a run that was inspected.

    Args:
        run_directory: of the run.

    Returns:
        `inspection/index.html`, which needs no other file and asks for nothing from outside. Where
        scripts may not run, the steps stand below each other.

    Raises:
        SeqexpError: the run was not inspected, or a file can't be read or written.
    """
    lines = inspections(run_directory)
    shown = thinned(lines, MOST)
    common = shared(run_directory)
    parts = _lead(run_directory, lines, len(shown))
    with matplotlib.rc_context(FRAME):
        # The slider stays in sight as far as this reaches.
        parts += ["<div>", *_slider(shown)]
        for line in shown:
            arrays = read_arrays(run_directory, line["step"])
            parts += _step(line, pictures(arrays, line, common))
        parts += ["</div>", "<h2>Over training</h2>"]
        parts.append(_grid(training_pictures(lines), ""))
    parts += [_clipping(run_directory), _table(shown)]
    parts += [*sample_parts(run_directory), *_not_defined(lines)]
    text = DOCUMENT.format(
        title=escape(f"{_name(run_directory)}, inside"),
        style=STYLE.read_text(encoding="utf-8"),
        body="\n".join(parts),
        scripts=f"<script>{SCRIPT.read_text(encoding='utf-8')}</script>",
    )
    path = run_directory / FOLDER / PAGE
    try:
        path.parent.mkdir(exist_ok=True)
        write_atomic(path, text.encode("utf-8"))
    except OSError as error:
        raise SeqexpError(f"cannot write {path} ({error.strerror}); make room there") from error
    return path


def _name(run_directory: Path) -> str:
    run = read_run(run_directory)
    return run.name if run and run.name else run_directory.name


def _lead(run_directory: Path, lines: Sequence[Mapping[str, Any]], shown: int) -> list[str]:
    name = escape(_name(run_directory))
    parts = ['<p class="quiet">seqexp: inside a model</p>', f'<h1 style="{LONG}">{name}</h1>']
    last = lines[-1]
    text = f"Inspected {len(lines)} times, at last at training step {last['step']:,}"
    if len(lines) == 1:
        text = f"Inspected once, at training step {last['step']:,}"
    if shown < len(lines):
        text += f"; {shown} of the inspections are drawn"
    parts.append(paragraph(f"{text}.", "summary"))
    if found := last.get("warnings"):
        listed = "\n".join(f"<li>{paragraph(str(one), '')}</li>" for one in found)
        parts.append(f'<h3>Warnings of the last inspection</h3>\n<ul class="summary">{listed}</ul>')
    return parts


def _slider(lines: Sequence[Mapping[str, Any]]) -> list[str]:
    """The slider, which shows only where scripts may run, and where there is a choice."""
    last = len(lines) - 1
    return [
        "<h2>At a step of training</h2>",
        f'<p class="controls" id="slider" style="{STICKY}" hidden><label>Training step '
        f'<input type="range" min="0" max="{last}" value="{last}" step="1"></label> '
        "<output></output></p>",
    ]


def _step(line: Mapping[str, Any], drawn: Iterable[Picture]) -> list[str]:
    """All there is on one inspection."""
    step = line["step"]
    told = without_scripts(f"<h3>Training step {step:,}</h3>")
    parts = [f'<section data-step="{step:,}">', told]
    parts += [paragraph(f"Warning: {one}.", "") for one in line.get("warnings", [])]
    for part, group in groupby(drawn, key=lambda one: one.part):
        parts += [f"<h3>{part}</h3>", _grid(group, f"{step}-")]
    return [*parts, "</section>"]


def _grid(drawn: Iterable[Picture], prefix: str) -> str:
    """Pictures side by side; each has its title in itself.

    Args:
        drawn: the pictures.
        prefix: makes their names unique on the page.
    """
    parts = []
    for picture in drawn:
        name = prefix + picture.name
        text = canvas.svg(picture.figure, name)
        size = (canvas.POINTS_PER_INCH * inches for inches in picture.figure.get_size_inches())
        parts.append(f"<figure>{inline(Figure(name, picture.caption, text, b'', *size))}</figure>")
    return '<div class="figures narrow">\n' + "\n".join(parts) + "\n</div>"


def _clipping(run_directory: Path) -> str:
    """How often gradients exploded or vanished, before and after clipping; "" if not recorded."""
    run = read_run(run_directory)
    metrics, _ = read_lines(run_directory / METRICS)
    found = recorded_clipping(metrics, run.config if run else {})
    if not found.steps:
        return ""
    text = (
        f"Norm of the gradient, a mean over each of {count(found.steps)} intervals between "
        f"evaluations, {digits(found.typical)} in the median: above the clip norm in "
        f"{percent(found.clipped)}; more than 10 times the median, or not finite, in "
        f"{percent(found.exploding_before)} before and {percent(found.exploding_after)} after "
        f"clipping; less than 0.01 of it in {percent(found.vanishing_before)} before and "
        f"{percent(found.vanishing_after)} after."
    )
    return paragraph(text, "")


def _table(lines: Sequence[Mapping[str, Any]]) -> str:
    """The numbers of the inspections that are drawn, a row a number and a column a step."""
    rows = []
    for kind, scalar in SCALARS.items():
        found = [numbers(line, kind) for line in lines]
        for name in dict.fromkeys(name for one in found for name in one):
            cells = [_cell(kind, name, *pair) for pair in zip(lines, found, strict=True)]
            said = f"<td>{escape(scalar.title)}</td>", f"<td>{escape(spoken(name))}</td>"
            rows.append(row(*said, *cells))
    headings = [heading("Number"), heading("Layer or part")]
    headings += [number_heading(f"{line['step']:,}", "training step") for line in lines]
    return rich_table("", headings, rows) if rows else ""


def _cell(kind: str, name: str, line: Mapping[str, Any], found: Mapping[str, float]) -> str:
    """A number of an inspection; an infinite half-life in words."""
    if kind == "half_life" and name in line.get("no_decay", ()):
        return number(float("nan"), "no decay")
    value = found.get(name, float("nan"))
    return number(value, digits(value))


def _not_defined(lines: Sequence[Mapping[str, Any]]) -> list[str]:
    """What an inspection could not tell of this model, and why."""
    reasons = {
        str(name): str(why)
        for line in lines
        for name, why in (line.get("not_defined") or {}).items()
    }
    return ["<h2>Not defined for this model</h2>", definitions(reasons)] if reasons else []
