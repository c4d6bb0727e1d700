"""The figures of a run's latest inspection as files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

from seqexp.analysis import canvas
from seqexp.inspection.figures.panel import FRAME, png
from seqexp.inspection.figures.pictures import pictures, training_pictures
from seqexp.inspection.figures.shared import shared, shared_by
from seqexp.runs.inspections import FIGURES, FOLDER, REMEDY, read_arrays, read_inspections
from seqexp.runs.replacing import replaced
from seqexp.types import SeqexpError

MAIN = ("hidden", "gradient", "memory", "confusion", "predictions", "saliency", "attention")
"""The kinds of figures that are drawn where few must do, the first words of their names."""


def draw(run_directory: Path) -> list[Path]:
    """Draw the latest inspection of a run, and what the inspections tell over training.

    Args:
        run_directory: of a run that was inspected.

    Returns:
        `inspection/figures/NAME.svg` and `NAME.png` of each figure, in place of earlier ones. The
        names are the same at every step; the files are the same, byte for byte, for the same
        records.

    Raises:
        SeqexpError: the run was not inspected, or a file can't be read or written.
    """
    lines = inspections(run_directory)
    arrays = read_arrays(run_directory, lines[-1]["step"])
    folder = run_directory / FOLDER / FIGURES
    paths = []
    with replaced(folder, ("*.svg", "*.png"), "make room there") as new:
        with matplotlib.rc_context(FRAME):
            every = [*pictures(arrays, lines[-1], shared(run_directory)), *training_pictures(lines)]
            for picture in every:
                text = canvas.svg(picture.figure, picture.name)
                (new / f"{picture.name}.svg").write_text(text, encoding="utf-8")
                (new / f"{picture.name}.png").write_bytes(png(picture.figure))
                paths += [folder / f"{picture.name}.{ending}" for ending in ("svg", "png")]
    return paths


def draw_step(run_directory: Path, step: int) -> dict[str, bytes]:
    """The main figures of one inspection, of the kinds in `MAIN`, as PNG by the names of their
    files; their axes fit it alone.

    Raises:
        SeqexpError: the run was not inspected at the step, or a file can't be read.
    """
    found = [line for line in inspections(run_directory) if line["step"] == step]
    if not found:
        raise SeqexpError(f"{run_directory} was not inspected at step {step}; {REMEDY}")
    arrays = read_arrays(run_directory, step)
    drawn = {}
    with matplotlib.rc_context(FRAME):
        for picture in pictures(arrays, found[0], shared_by([arrays]), MAIN):
            picture.figure.draw_without_rendering()  # Lays it out.
            drawn[picture.name] = png(picture.figure)
    return drawn


def inspections(run_directory: Path) -> list[dict[str, Any]]:
    """The lines of the inspections of a run, at least one.

    Raises:
        SeqexpError: there is none, or the file can't be read.
    """
    lines = read_inspections(run_directory)
    if not lines:
        raise SeqexpError(f"{run_directory} has no inspection to draw; {REMEDY}")
    return lines
