"""How far gradients reach, as a table and a picture.

`python experiments/vanishing_gradients/findings.py runs/vanishing_gradients` prints the table of
half-lives as Markdown and writes `gradients.svg` beside this file.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from seqexp.analysis import canvas
from seqexp.runs.inspections import of_kind, read_arrays, read_inspections

NAMES = {
    ("elman", "glorot"): "tanh RNN, Glorot",
    ("elman", "orthogonal"): "tanh RNN, orthogonal",
    ("elman", "identity"): "ReLU RNN, identity",
    ("lstm", 0.0): "LSTM, forget bias 0",
    ("lstm", 1.0): "LSTM, forget bias 1",
    ("gru", None): "GRU",
    ("lstm", "bidirectional"): "LSTM, bidirectional",
}
BOUNDED = ("tanh RNN, Glorot", "tanh RNN, orthogonal")
COLOURS = ["#0072b2", "#56b4e9", "#999999", "#e69f00", "#d55e00", "#009e73", "#cc79a7"]
"""Of Okabe and Ito, which people tell apart however they see colours."""
STYLES = ["-"] * 6 + [":"]
SHOWN = (25, 100, 400)


def found(study: Path) -> dict[tuple[str, int], Path]:
    """The run of each network and length."""
    runs = {}
    for path in sorted(study.glob("*/run.json")):
        config = json.loads(path.read_text())["config"]
        (layer,) = config["model"]["layers"]
        cell = layer["cell"]
        kind = cell["_target_"].rsplit(".")[-1].lower()
        what = cell.get("recurrent_init", cell.get("forget_bias"))
        name = NAMES[kind, "bidirectional" if layer.get("bidirectional") else what]
        runs[name, config["task"]["length"]] = path.parent
    return runs


def chain(names: Mapping[str, Any]) -> str:
    """The layer, or its direction that reads forward."""
    return "layer_1" if "layer_1" in names else "layer_1/forward"


def half_life(line: Mapping[str, Any]) -> str:
    """In steps, of an inspection; that of both directions where there are two."""
    values = of_kind(line, "half_life").values()
    return " / ".join("∞" if value is None else f"{value:.2g}" for value in values)


def table(runs: Mapping[tuple[str, int], Path]) -> None:
    """Print half-life, memory capacity, Lyapunov exponent and score of the last inspection."""
    lengths = sorted({length for _, length in runs})
    print(f"| half-life, steps | {' | '.join(f'T = {length}' for length in lengths)} |")
    print("|---" * (1 + len(lengths)) + "|")
    for name in NAMES.values():
        cells = []
        for length in lengths:
            lines = read_inspections(runs[name, length])
            told = [half_life(line) for line in (lines[0], lines[-1])] if lines else ["–"]
            ended = json.loads((runs[name, length] / "run.json").read_text())["status"]
            cells.append(" → ".join(told) + ("" if ended == "finished" else f", {ended}"))
        print(f"| {name} | {' | '.join(cells)} |")
    print()
    print("| T = 100 | memory capacity | largest Lyapunov exponent | saturated units | test mse |")
    print("|---|---|---|---|---|")
    for name in NAMES.values():
        run = runs[name, 100]
        last = (read_inspections(run) or [{}])[-1]
        score = json.loads((run / "run.json").read_text())["score"]["test"]
        score = "diverged" if score is None else f"{score:.3g}"
        told = []
        for kind in ("memory_capacity", "largest_lyapunov", "saturated"):
            values = [value for value in of_kind(last, kind).values() if value is not None]
            told.append(" / ".join(f"{value:.3g}" for value in values) or "–")
        print(f"| {name} | {' | '.join(told)} | {score} |")


def picture(runs: Mapping[tuple[str, int], Path], path: Path) -> None:
    """The gradient's norm against the lag at the first inspection, and the bound of theory."""
    figure = Figure(figsize=(11, 3.8), layout="constrained")
    axes = figure.subplots(1, len(SHOWN), sharey=True)
    for axis, length in zip(axes, SHOWN, strict=True):
        for name, colour, style in zip(NAMES.values(), COLOURS, STYLES, strict=True):
            run = runs[name, length]
            lines = read_inspections(run)
            if not lines:
                continue
            arrays = read_arrays(run, lines[0]["step"])
            gradients = of_kind(arrays, "gradient_by_lag")
            _, norms, _ = gradients[chain(gradients)]
            lags = 1 + np.arange(len(norms))
            start = norms[np.isfinite(norms)][0]
            axis.plot(lags, norms / start, style, color=colour, label=name)
            if name in BOUNDED:
                bound = arrays["pascanu_bound/layer_1"]
                axis.plot(
                    lags, bound / bound[0], "--", color=colour, lw=1, label=f"bound of {name}"
                )
        axis.set(yscale="log", ylim=(1e-12, 1e3), xlabel="lag k, steps", title=f"T = {length}")
        axis.grid(alpha=0.25)
    axes[0].set_ylabel("norm of dL/dh(T-k), of that at k = 1")
    handles, labels = axes[1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
    path.write_text(canvas.svg(figure, "vanishing_gradients"))


if __name__ == "__main__":
    of_all = found(Path(sys.argv[1]))
    table(of_all)
    picture(of_all, Path(__file__).parent / "gradients.svg")
