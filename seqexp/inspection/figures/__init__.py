"""Figures of what inspections recorded, from the records in a run's folder alone."""

from seqexp.inspection.figures.animation import animate
from seqexp.inspection.figures.drawing import draw, draw_step
from seqexp.inspection.figures.page import write_page

__all__ = ["animate", "draw", "draw_step", "write_page"]
