"""What each architecture costs at growing lengths, as a table and as a picture.

`python experiments/zoo/costs.py runs/zoo/cost` prints the table as Markdown, of what `seqexp cost`
has measured there, and draws `costs.svg` here. For each MODEL:

    seqexp cost experiment=zoo model=MODEL task=associative_recall_short trainer.batch_size=1 \\
        optimizer.learning_rate=1e-2 --lengths 64,512,2048,8192 --name MODEL
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pandas as pd
from kinds import KIND, KINDS
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from seqexp.analysis import canvas
from seqexp.analysis.looks import COLOURS
from seqexp.analysis.notation import count, digits

PANELS = {
    "step_seconds": ("training step, µs a token", "train µs", 1e6),
    "prefill_seconds": ("whole sequence at once, evaluation, µs a token", "whole µs", 1e6),
    "decode_seconds_per_token": ("step by step, µs a token", "step µs", 1e6),
    "program_bytes": ("memory of a training step, kB a token", "memory kB", 1e-3),
    "carry_bytes": ("state behind the sequence, bytes", "state B", 1.0),
}
WHOLE = ("step_seconds", "prefill_seconds", "program_bytes")
"""What is measured of a sequence, and told of a token."""


def measured(folder: Path) -> pd.DataFrame:
    """What was measured at growing lengths: a row a model and length, in units of the panels."""
    found = []
    for path in sorted(folder.glob("*/cost.csv")):
        of = json.loads(path.with_name("cost.json").read_text(encoding="utf-8"))["configs"]
        for each in of:
            if (size := each["config"]["trainer"]["batch_size"]) != 1:
                raise SystemExit(f"{path}: measured with trainer.batch_size of {size}, not 1")
        found.append(pd.read_csv(path))
    if not found:
        raise SystemExit(f"{folder}: no cost.csv")
    rows = pd.concat(found)
    rows = rows.loc[rows["varied"] == "length"]
    if missing := sorted(KIND.keys() - set(rows["model"])):
        raise SystemExit(f"not in {folder}: {', '.join(missing)}")
    for cost, (_, _, unit) in PANELS.items():
        rows[cost] = rows[cost] * unit / (rows["length"] if cost in WHOLE else 1)
    rows = rows.drop_duplicates(["model", "length"]).sort_values("length")
    every = set(rows["length"])
    if uneven := sorted(m for m, own in rows.groupby("model")["length"] if set(own) != every):
        raise SystemExit(f"{folder}: not all lengths of {', '.join(uneven)}")
    return rows


def table(rows: pd.DataFrame) -> None:
    """Print each cost at the shortest and the longest length."""
    ends = rows["length"].min(), rows["length"].max()
    at = rows.set_index(["model", "length"])
    names = [f"{name}, {length:,}" for _, name, _ in PANELS.values() for length in ends]
    print(f"| model | {' | '.join(names)} |\n|---{'|---' * len(names)}|")
    for model in KIND:
        values = [(cost, at.loc[(model, length), cost]) for cost in PANELS for length in ends]
        cells = [count(v) if cost == "carry_bytes" else digits(v) for cost, v in values]
        print(f"| {model} | {' | '.join(cells)} |")


def picture(rows: pd.DataFrame, path: Path) -> None:
    """A row of panels a kind of architecture, a line each; those of all others are grey."""
    with rc_context(canvas.STYLE):
        figure = Figure(figsize=(17, 15), layout="constrained")
        axes = figure.subplots(len(KINDS), len(PANELS), sharex=True, sharey="col")
        for own, (kind, models) in zip(axes, KINDS.items(), strict=True):
            lines: dict[str, Line2D] = {}
            for axis, (cost, (name, *_)) in zip(own, PANELS.items(), strict=True):
                axis.set(xscale="log", yscale="log")
                for each, values in ((axis.xaxis, rows["length"]), (axis.yaxis, rows[cost])):
                    canvas.set_ticks(each, values.min(), values.max(), logarithmic=True)
                for model in KIND:
                    of = rows.loc[rows["model"] == model]
                    if model not in models.split():
                        axis.plot(of["length"], of[cost], color="#dddddd", lw=0.6, zorder=1)
                for n, model in enumerate(models.split()):
                    of = rows.loc[rows["model"] == model]
                    style = "-" if n < len(COLOURS) else "--"
                    (lines[model],) = axis.plot(
                        of["length"], of[cost], style, color=COLOURS[n % len(COLOURS)], lw=1.3
                    )
                if kind == next(iter(KINDS)):
                    axis.set_title(name, fontsize=9)
                if kind == list(KINDS)[-1]:
                    axis.set_xlabel("length")
            own[0].set_ylabel(kind)
            own[-1].legend(
                lines.values(),
                lines,
                fontsize=7,
                frameon=False,
                loc="center left",
                bbox_to_anchor=(1, 0.5),
            )
        path.write_text(canvas.svg(figure, "zoo-costs"), encoding="utf-8")


def main(folder: Path) -> None:
    """Print the table of what was measured, and draw it."""
    rows = measured(folder)
    table(rows)
    picture(rows, Path(__file__).parent / "costs.svg")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
