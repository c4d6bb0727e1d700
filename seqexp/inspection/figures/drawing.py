"""The figures of a run's latest inspection as files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

from seqexp.analysis import canvas
from seqexp.inspection.figures.panel import FRAME, png
from seqexp.inspection.figures.pictures import pictures, training_pictures
from seqexp.inspection.figures.shared import shared
from seqexp.runs.inspections import FIGURES, FOLDER, REMEDY, read_arrays, read_inspections
from seqexp.runs.replacing import replaced
from seqexp.types import SeqexpError


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


def inspections(run_directory: Path) -> list[dict[str, Any]]:
    """The lines of the inspections of a run, at least one.

    Raises:
        SeqexpError: there is none, or the file can't be read.
    """
    lines = read_inspections(run_directory)
    if not lines:
        raise SeqexpError(f"{run_directory} has no inspection to draw; {REMEDY}")
    return lines
