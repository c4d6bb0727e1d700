"""What inspections tell of the models of a task: how far gradients reach, what states remember."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.lines import Line2D

from seqexp.analysis import canvas
from seqexp.analysis.figures import Figure, file_name
from seqexp.analysis.inside_records import KINDS, Inside
from seqexp.analysis.load import Study
from seqexp.analysis.looks import Look

SIZE = (360, 216)
ENDS = ("", "_low", "_high")
"""Of the columns with a median, the least and the greatest."""

FLOOR = 1e-15
"""The part of the largest norm down to which norms are shown."""


def insides(study: Study, table: pd.DataFrame) -> pd.DataFrame:
    """What the last inspections of the chosen models' finished runs tell of each layer.

    Args:
        study: the records.
        table: see `tabulate`.

    Returns:
        One row a task, chosen model and layer: `task`, `label`, `layer`, `n` inspected runs, and of
        each of `KINDS` its median over the runs of which it is known, and the least and the
        greatest of them (`half_life`, `half_life_low`, `half_life_high`); NaN where it is not known
        of any. A half-life is infinite where the gradient does not decay. Likewise `clipped`, the
        share of the intervals between evaluations whose gradient was clipped: the same for all
        layers of a model.
    """
    rows = []
    for model in table.loc[table["chosen"]].to_dict("records"):
        found = _inspected(study, model["task"], model["label"])
        clipped = _ranges("clipped", [one.clipping.clipped for one in found])
        for layer in dict.fromkeys(
            layer for one in found for kind in KINDS for layer in one.numbers[kind]
        ):
            row = {"task": model["task"], "label": model["label"], "layer": layer, "n": len(found)}
            for kind in KINDS:
                row |= _ranges(kind, [one.numbers[kind].get(layer, np.nan) for one in found])
            rows.append(row | clipped)
    columns = ["task", "label", "layer", "n"]
    columns += [f"{kind}{end}" for kind in (*KINDS, "clipped") for end in ENDS]
    return pd.DataFrame(rows, columns=pd.Index(columns))


class _Curve(NamedTuple):
    """Of a label the curve of each inspected run, `[n, K]`."""

    label: str
    values: np.ndarray


def inside_figures(study: Study, rows: pd.DataFrame, looks: Mapping[str, Look]) -> list[Figure]:
    """The gradient norm against the lag, and the memory curve, of each model's bottom layer.

    Args:
        study: the records.
        rows: the rows of a task in the table.
        looks: of each label.
    """
    if rows.empty:
        return []
    task, names = str(rows["task"].iloc[0]), dict(zip(rows["label"], rows["name"], strict=True))
    chosen = set(rows.loc[rows["chosen"], "label"])
    models = {label: _inspected(study, task, label) for label in looks if label in chosen}
    gradients = list(_curves({k: [one.gradients for one in own] for k, own in models.items()}))
    memories = list(_curves({k: [one.memory for one in own] for k, own in models.items()}))
    figures = []
    with matplotlib.rc_context(canvas.STYLE):
        if gradients:
            figure, ax = canvas.draw(*SIZE)
            ax.set(xlabel="lag k, steps", ylabel="norm of dL(t) / dh(t − k)")
            norms = np.concatenate([curve.values.ravel() for curve in gradients])
            norms = norms[np.isfinite(norms)]
            canvas.fit_y(ax, norms[norms > FLOOR * norms.max(initial=0)])
            canvas.add_legend(figure, _draw(ax, gradients, 1, names, looks))
            figures.append(_figure(figure, task, "gradient", "Gradient norm against the lag"))
        if memories:
            figure, ax = canvas.draw(*SIZE)
            ax.set(xlabel="lag k, steps", ylabel="decoded of the input at t − k")
            ax.set_ylim(-0.05, 1.05)
            canvas.add_legend(figure, _draw(ax, memories, 0, names, looks))
            figures.append(_figure(figure, task, "memory", "Memory of past inputs"))
    return figures


def _figure(drawing: Drawing, task: str, what: str, caption: str) -> Figure:
    name = file_name(task, "inside", what)
    return Figure(name, caption, canvas.svg(drawing, name), canvas.pdf(drawing), *SIZE)


def _inspected(study: Study, task: str, label: str) -> list[Inside]:
    """The last inspections of the finished runs of a model."""
    runs = study.runs
    mine = runs.loc[
        (runs["task_label"] == task) & (runs["label"] == label) & (runs["status"] == "finished")
    ]
    found = (study.files[run].inside for run in mine["run"])
    return [one for one in found if one is not None]


def _curves(models: Mapping[str, Sequence[Mapping[str, np.ndarray]]]) -> Iterator[_Curve]:
    """The curves of each model's first layer, the longer ones cut to the shortest."""
    for label, runs in models.items():
        curves = [next(iter(one.values())) for one in runs if one]
        if curves:
            steps = min(map(len, curves))
            values = np.array([curve[:steps] for curve in curves], float)
            yield _Curve(label, np.where(np.isfinite(values), values, np.nan))


def _draw(
    ax: Axes,
    curves: Sequence[_Curve],
    first: int,
    names: Mapping[str, str],
    looks: Mapping[str, Look],
) -> dict[str, Line2D]:
    """The median over runs, in the band from the least to the greatest; handles by name."""
    handles = {}
    for label, values in curves:
        look, lags = looks[label], first + np.arange(values.shape[1])
        middle, low, high = _range(values)
        ax.fill_between(lags, low, high, color=look.colour, alpha=0.15, linewidth=0)
        line = {"color": look.colour, "linestyle": look.line, "linewidth": 1.6}
        [handles[names[label]]] = ax.plot(lags, middle, **line)
        if len(lags) == 1:  # A point, which a line does not show.
            handles[names[label]].set(marker=look.marker, markersize=4)
    ax.set_xlim(0, max(values.shape[1] for _, values in curves) + first)
    return handles


def _ranges(name: str, values: Sequence[float]) -> dict[str, float]:
    """The columns of a number of `n` runs."""
    of_all = _range(np.array(values, float)[:, None])
    return {name + end: float(value[0]) for end, value in zip(ENDS, of_all, strict=True)}


def _range(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of values `[n, K]` the median, the least and the greatest of those known, `[K]` each."""
    found = np.full((3, values.shape[1]), np.nan)
    for k, column in enumerate(values.T):
        known = column[~np.isnan(column)]
        if len(known):
            found[:, k] = np.median(known), known.min(), known.max()
    return found[0], found[1], found[2]
