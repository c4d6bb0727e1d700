"""What the figures of an inspection share: their size, their titles and legends, and heat maps."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Mapping
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from seqexp.analysis import canvas

SIZE = (288, 216)
"""Points: 400 by 300 pixels at 100 to the inch, the size of a panel in wandb."""

PIXELS_PER_INCH = 200

LETTERS = 50
"""So many fit into a line of a title."""

COLOUR_MAP = "viridis"
"""Of values; its lightness grows evenly, for all kinds of colour vision."""

SHARES = "cividis"
"""Of shares and counts, which are 0 or more; likewise."""

FRAME: dict[Any, Any] = {
    **canvas.STYLE,
    "axes.titlesize": 8,
    "axes.titlelocation": "left",
}
"""The style of these figures, for `matplotlib.rc_context`."""


def panel() -> tuple[Figure, Axes]:
    """An empty figure; to be used inside `matplotlib.rc_context(FRAME)`."""
    return canvas.draw(*SIZE)


def entitle(ax: Axes, what: str, *where: str) -> None:
    """A title of two lines, or more where they are long: what is seen, and of what."""
    below = textwrap.fill(", ".join(where), LETTERS)
    ax.set_title(f"{what}\n{below}")


def at(step: int) -> str:
    return f"training step {step:,}"


def png(figure: Figure) -> bytes:
    """The figure as PNG, the same byte for byte for the same arrays; once it is
    laid out, by `canvas.svg` or `draw_without_rendering`."""
    figure.set_layout_engine("none")
    figure.set_dpi(PIXELS_PER_INCH)  # the canvas of SVG has set its own
    file = io.BytesIO()
    FigureCanvasAgg(figure).print_png(file, metadata={"Software": None})
    return file.getvalue()


def heat_map(
    ax: Axes,
    values: np.ndarray,
    says: str,
    *,
    limits: tuple[float, float] | None = None,
    colours: str = COLOUR_MAP,
    extent: tuple[float, float, float, float] | None = None,
    upwards: bool = True,
) -> None:
    """Values `[rows, columns]` as colours, with their scale; what is not finite stays blank.

    Args:
        ax: to draw on.
        values: the first row is the lowest one, or with `upwards=False` the highest.
        says: what the colours mean, with the unit.
        limits: the values of the first and the last colour; None for those of the data.
        colours: the name of a colour map of matplotlib.
        extent: the ends of both axes; None for the numbers of columns and rows.
        upwards: whether rows go up.
    """
    shown = np.ma.masked_invalid(np.asarray(values, float))
    low, high = limits or (0.0, 1.0)
    if limits is None and shown.count():
        low, high = float(shown.min()), float(shown.max())
    if not low < high:
        low, high = low - 0.5, low + 0.5
    image = ax.imshow(
        shown,
        aspect="auto",
        origin="lower" if upwards else "upper",
        interpolation="none",
        cmap=matplotlib.colormaps[colours],
        vmin=low,
        vmax=high,
        extent=extent,
    )
    ax.grid(False)
    scale(ax, image, says)


def scale(ax: Axes, colours: Any, says: str) -> None:
    """The scale of what is drawn in colours, beside the plot."""
    assert ax.figure is not None
    bar = ax.figure.colorbar(colours, ax=ax, label=says, pad=0.02, aspect=30)
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
    bar.ax.tick_params(labelsize=7)


def whole_numbers(axis: Axis) -> None:
    """Ticks at whole numbers, few of them."""
    axis.set_major_locator(MaxNLocator(8, integer=True))


def add_legend(figure: Figure, handles: Mapping[str, Any]) -> None:
    """A legend below the plot, which keeps its size; none for a single handle without a name."""
    canvas.add_legend(figure, {name: handle for name, handle in handles.items() if name})
