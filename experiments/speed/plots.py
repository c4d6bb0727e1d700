"""The plot of time against length and width: speed.svg and speed.png, from results.json.

python experiments/speed/plots.py
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, NullLocator
from rows import FOLDER, load
from shapes import CELLS

COLOURS = {"ours": "#0b6e4f", "torch": "#c8553d", "flax": "#3d6fb4"}
MARKERS = {"ours": "o", "torch": "s", "flax": "^"}
AXES = (("length T, at 64 units", 1, 3), ("units H, at 100 steps", 3, 1))
"""What an axis says, which part of a shape it shows, and which part stays the same."""

STYLE: dict[Any, Any] = {
    "font.size": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.5,
    "legend.frameon": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "speed",  # the same file for the same numbers
}


def write(results: dict[str, Any], folder: Path = FOLDER) -> None:
    """Draw the sweeps of results, if there are any."""
    rows = [row for row in results["rows"] if row["level"] == "sweep"]
    if not rows:
        return
    cells = [cell for cell in CELLS if any(row["cell"] == cell for row in rows)]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(2.6 * len(cells), 4.6), layout="constrained")
        panels = figure.subplots(2, len(cells), squeeze=False)
        for column, cell in enumerate(cells):
            for line, (label, shown, fixed) in enumerate(AXES):
                panel = panels[line][column]
                _draw(panel, [row for row in rows if row["cell"] == cell], shown, fixed)
                panel.set_xlabel(label)
                if line == 0:
                    panel.set_title(cell)
            panels[0][0].set_ylabel("forward and backward, ms")
            panels[1][0].set_ylabel("forward and backward, ms")
        panels[0][0].legend()
        figure.savefig(folder / "speed.svg", metadata={"Date": None})
        figure.savefig(folder / "speed.png", dpi=150)


def _draw(panel: Axes, rows: Sequence[dict[str, Any]], shown: int, fixed: int) -> None:
    usual = {1: 100, 3: 64}[fixed]
    lines: dict[str, dict[int, float]] = {}
    for row in rows:
        if row["shape"][fixed] == usual:
            place = row["shape"][shown]
            lines.setdefault("ours", {})[place] = row["ours_ms"]
            lines.setdefault(row["opponent"], {})[place] = row["theirs_ms"]
    for name, line in lines.items():
        places = sorted(line)
        style = {"color": COLOURS[name], "marker": MARKERS[name], "markersize": 3.5}
        panel.plot(places, [line[p] for p in places], label=name, linewidth=1.2, **style)
    panel.set_xscale("log")
    panel.set_yscale("log")
    places = sorted({place for line in lines.values() for place in line})
    panel.set_xticks(places, [str(place) for place in places])
    panel.xaxis.set_minor_locator(NullLocator())
    panel.yaxis.set_minor_formatter(NullFormatter())


if __name__ == "__main__":
    write(load())
