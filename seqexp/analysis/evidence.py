"""The tables behind the page's sentences: comparisons, fronts, tuning, effort, growth, ranks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any, NamedTuple

import pandas as pd

from seqexp.analysis import page
from seqexp.analysis.axes import COMPARED as COSTS
from seqexp.analysis.axes import GROWING
from seqexp.analysis.comparisons import compare
from seqexp.analysis.contenders import Contender
from seqexp.analysis.findings import Findings
from seqexp.analysis.fronts import ALL, Fronts
from seqexp.analysis.growth import SYMBOLS, written
from seqexp.analysis.inside import ENDS
from seqexp.analysis.inside_records import KINDS
from seqexp.analysis.notation import NOTHING, count, digits, interval, percent, shortened, spoken

COMPARED = ("Seeds, of both", "Ahead by", "Effect, g", "Better, probability", "p, corrected")
TUNED = ("Rates, tried", "Best, rate", "Working, from", "Working, to", "Width, decades", "Runs")
TUNED += ("Lost", "Training, s", "Training, FLOPs")
LEARNED = ("Reached, of the seeds", "Training, steps", "Training, examples", "Training, FLOPs")
LEARNED += ("Training, s",)
RANKED = ("Tasks", "Seeds", "Rank, mean", "Rank, interval", "Best, probability", "Score, mean")
RANKED += ("Score, IQM",)
INSIDE = ("Seeds, inspected", "Parameters", "Step, ms", "Half-life, steps", "Memory, inputs")
INSIDE += ("Saturated, share of units", "Rank, dimensions", "Clipped, share of intervals")
"""The columns of the tables, each with its unit."""


class Cell(NamedTuple):
    """The value that a cell is sorted by, what it says, and "front" where it is marked so."""

    value: float
    text: str
    kind: str = ""


def comparison_table(rivals: Sequence[Contender]) -> list[str]:
    """Every two models of a task against each other; nothing where there is but one."""
    note = (
        "By how much the first is ahead, over the seeds that both finished, with a 95 % interval "
        "and in standard deviations (Hedges' g); the probability that a run of the first is "
        "better than one of the second, diverged runs being worst; p of a sign-flip test, "
        "corrected for all comparisons of this table (Holm)."
    )
    rows = []
    for pair in compare({"": rivals}).to_dict("records"):
        ahead = interval(pair["advantage"], pair["advantage_half"])
        tied = pair["advantage"] == pair["advantage_half"] == 0
        chance = _around(pair["improvement"], pair["improvement_low"], pair["improvement_high"])
        cells = [
            _plain(pair["n"]),
            Cell(pair["advantage"], "tied" if tied else ahead),
            _digits(pair["effect"]),
            chance,
            _digits(pair["p_holm"]),
        ]
        rows.append(((pair["a"], pair["b"]), cells))
    return _table("Comparisons", note, ("Model", "Against"), COMPARED, rows)


def front_table(fronts: Fronts, names: Mapping[str, str]) -> list[str]:
    """How surely each model of a task is on its Pareto fronts; nothing where there is but one.

    Args:
        fronts: of the task.
        names: of each label.
    """
    if len(names) < 2:
        return []
    note = (
        "In what share of resamples of seeds and measured costs the model is on the front of the "
        "test score against a cost, and against all costs at once, where being cheap in one may be "
        "enough. •: on the front of the means. One seed tells no share."
    )
    points = fronts.points.set_index(["axis", "label"])
    headings = _costs(fronts.points["axis"])
    rows = []
    for label in dict.fromkeys(fronts.points["label"]):
        cells = []
        for axis in headings:
            point = points.loc[(axis, label)]
            chance = float(point["probability"])
            cells.append(Cell(chance, percent(chance), "front" if point["front"] else ""))
        rows.append(((names[label],), cells))
    return _table("Fronts", note, ("Model",), [*headings.values()], rows)


def volume_table(volumes: pd.DataFrame) -> list[str]:
    """What each kind of model of a task covers; nothing where there is but one.

    Args:
        volumes: of the task, see `hypervolumes`.
    """
    models = list(dict.fromkeys(volumes["model"]))
    if len(models) < 2:
        return []
    note = (
        "The share that all sizes of a model cover of what all models cover together of the plane "
        "of cost (in decades, up to twice the largest) and test score (from the baseline, or else "
        "the worst): its share of the hypervolume, with a 95 % interval over resamples of seeds "
        "and, but for all at once, of measured costs. It sums up the whole front: 1 where nothing "
        "is gained by another model."
    )
    shares = volumes.set_index(["axis", "model"])
    headings = _costs(volumes["axis"])
    rows = []
    for model in models:
        told = [shares.loc[(axis, model)] for axis in headings]
        cells = [_around(one["share"], one["share_low"], one["share_high"]) for one in told]
        rows.append(((model,), cells))
    return _table("Most for its cost", note, ("Model",), [*headings.values()], rows)


def growth_table(growth: pd.DataFrame) -> list[str]:
    """The exponents with which the measured costs grow."""
    axes = [axis for axis in GROWING if axis.key in set(growth["cost"])]
    several = len(set(growth["task"])) > 1
    rows = []
    for _, fits in growth.groupby(["task", "label", "varied"], sort=False):
        task, label, varied = fits[["task", "label", "varied"]].iloc[0]
        found = {fit["cost"]: fit for fit in fits.to_dict("records")}
        counts = sorted(set(fits["n"]))
        cells = [Cell(counts[-1], " or ".join(map(str, counts)))]
        cells += [_plain(min(fits["smallest"])), _plain(max(fits["largest"]))]
        for axis in axes:
            fit = found.get(axis.key)
            exponent = fit["exponent"] if fit else float("nan")
            cells.append(Cell(exponent, written(exponent, fit["half"]) if fit else NOTHING))
        names = (label, SYMBOLS[varied])
        rows.append(((task, *names) if several else names, cells))
    numbers = ["n, sizes", "From, fitted", "To, fitted"]
    numbers += [f"{axis.heading}, {axis.unit}" for axis in axes]
    return _shown(("Task", "Model", "In") if several else ("Model", "In"), numbers, rows)


def _costs(axes: Iterable[str]) -> dict[str, str]:
    """The headings of the costs among some axes."""
    known = set(axes)
    headings = {axis.key: f"{axis.heading}, {axis.unit}" for axis in COSTS if axis.key in known}
    return headings | ({ALL: "All, at once"} if ALL in known else {})


def tuning_table(found: Findings) -> list[str]:
    """How the models of a task mind their learning rates, and what trying several has cost."""
    note = (
        "Rates work that lose no more seeds than the best one, and at most a tenth of its lead "
        "over the baseline, on validation. A window that ends at a rate on the edge of those tried "
        "may be wider. Costs are of all runs, those of settings not chosen included."
    )
    rows = []
    told = found.windows.merge(found.tuning, on=["task", "label"]).to_dict("records")
    for model in (model for model in told if model["rates"] > 1):
        width = ("" if model["bounded"] else "≥ ") + f"{model['decades']:.2g}"
        cells = [_plain(model[key]) for key in ("rates", "best", "low", "high")]
        cells += [Cell(model["decades"], width), _plain(model["runs"])]
        cells += [_plain(model["diverged"] + model["failed"]), _digits(model["seconds"])]
        rows.append(((model["name"],), [*cells, _shortened(model["flops"])]))
    return _table("Windows of rates, and what it took", note, ("Model",), TUNED, rows)


def effort_table(reached: pd.DataFrame) -> list[str]:
    """What each model of a task took to reach a validation score that all of them reached.

    Args:
        reached: of the task, see `efficiency.over_seeds`.
    """
    rows = []
    for model in reached.to_dict("records"):
        cells = [Cell(model["reached"], f"{model['reached']} of {model['n']}")]
        cells += [_shortened(model[key]) for key in ("step", "examples", "flops")]
        rows.append(((model["contender"],), [*cells, _digits(model["seconds"])]))
    target = interval(next(iter(reached["target"]), float("nan")), float("nan"))
    note = (
        f"Until the validation score was first as good as {target}, which every finished run "
        "reached; the median over seeds, as far as evaluations tell."
    )
    return _table("Effort to learn", note, ("Model",), LEARNED, rows)


def further_table(further: pd.DataFrame, rows: pd.DataFrame) -> list[str]:
    """The scores of a task's models on its further held-out splits; nothing where it has none.

    Args:
        further: of the task, see `further_scores`.
        rows: the rows of the task in the table.
    """
    names = dict(zip(rows["label"], rows["name"], strict=True))
    score = spoken(str(next(iter(rows["score"].dropna()), "")))
    splits = list(dict.fromkeys(further["split"]))
    lines = []
    for label, own in further.groupby("label", sort=False):
        cells = []
        for row in own.set_index("split").reindex(splits).to_dict("records"):
            cells.append(Cell(row["mean"], interval(row["mean"], row["half"])))
        lines.append(((names[str(label)],), cells))
    headings = [f"{split.capitalize().replace(', ', ' ')}, {score}" for split in splits]
    note = (
        "Each split was read once, with the weights that validation chose. Length 2x: sequences "
        "twice as long as the longest of training, and so on; test has the lengths of training. "
        "Means over the finished seeds with 95 % intervals."
    )
    return _table("Further held-out splits", note, ("Model",), headings, lines)


def inside_table(inside: pd.DataFrame, rows: pd.DataFrame) -> list[str]:
    """What inspections tell of each layer, beside the score and the cost of its model; nothing
    where no run of the task was inspected.

    Args:
        inside: of the task, see `insides`.
        rows: the rows of the task in the table.
    """
    models = {row["label"]: row for row in rows.to_dict("records")}
    score = spoken(str(next(iter(rows["score"].dropna()), "")))
    lines = []
    for layer in inside.to_dict("records"):
        model = models[layer["label"]]
        cells = [
            _plain(layer["n"]),
            Cell(model["test"], interval(model["test"], model["test_half"])),
        ]
        cells += [Cell(model["parameters"], count(model["parameters"]))]
        cells += [_digits(1e3 * model["step_seconds"])]
        for kind in (*KINDS, "clipped"):
            endless = "no decay" if kind == "half_life" else NOTHING
            cells.append(_around(*(layer[kind + end] for end in ENDS), endless=endless))
        lines.append(((model["name"], layer["layer"]), cells))
    note = (
        "Of the last inspection of each finished run: the median over seeds, from the least to the "
        "greatest. Half-life: in how many steps back in time the norm of the gradient halves. "
        "Memory: the sum of the memory curve. Saturated: units that are nearly "
        "always at a bound of an activation. Rank: the effective rank of the states. "
        "Clipped: of all intervals between evaluations those whose mean gradient norm exceeds the "
        "clip norm."
    )
    return _table(
        "Inside the models",
        note,
        ("Model", "Layer"),
        [INSIDE[0], f"Test, {score}", *INSIDE[1:]],
        lines,
    )


def rank_table(ranks: pd.DataFrame) -> list[str]:
    """The models over all tasks; nothing for one task or one model."""
    if max(ranks["tasks"], default=0) < 2 or len(ranks) < 2:
        return []
    note = (
        "Mean rank over the tasks, 1 for the best, with its 95 % interval and the probability to "
        "have the best one, over resamples of the seeds. The score is the mean over the tasks on a "
        "scale from 0, the baseline, to 1, the best model; then the interquartile mean over the "
        "seeds of all tasks."
    )
    rows = []
    for model in ranks.to_dict("records"):
        low, high = model["rank_low"], model["rank_high"]
        cells = [_plain(model["tasks"]), _plain(model["n"]), _digits(model["rank"])]
        cells += [Cell(low, _between(low, high)), _digits(model["best_probability"])]
        cells += [Cell(model["score"], interval(model["score"], model["score_half"]))]
        cells += [_around(model["iqm"], model["iqm_low"], model["iqm_high"])]
        rows.append(((model["contender"],), cells))
    return _table("Over all tasks", note, ("Model",), RANKED, rows)


def _table(
    title: str,
    note: str,
    names: Sequence[str],
    numbers: Sequence[str],
    rows: Iterable[tuple[Sequence[str], Sequence[Cell]]],
) -> list[str]:
    """A table that is seen on demand; nothing where it has no rows."""
    table = _shown(names, numbers, rows)
    return [page.details(title, page.paragraph(note, "note"), *table)] if table else []


def _shown(
    names: Sequence[str],
    numbers: Sequence[str],
    rows: Iterable[tuple[Sequence[str], Sequence[Cell]]],
) -> list[str]:
    headings = [page.heading(name) for name in names]
    headings += [page.number_heading(*column.split(", ")) for column in numbers]
    lines = [
        page.row(
            *(f'<td class="name">{escape(text)}</td>' for text in texts),
            *(page.number(*cell) for cell in cells),
        )
        for texts, cells in rows
    ]
    return [page.rich_table("named", headings, lines)] if lines else []


def _plain(value: Any) -> Cell:
    return Cell(value, f"{value:g}")


def _digits(value: float) -> Cell:
    return Cell(value, digits(value))


def _shortened(value: float) -> Cell:
    return Cell(value, shortened(value))


def _around(value: float, low: float, high: float, endless: str = NOTHING) -> Cell:
    """A value between its ends; what is infinite is called `endless`."""
    middle, *ends = (endless if math.isinf(x) else digits(x) for x in (value, low, high))
    if math.isinf(low):
        return Cell(value, endless)
    return Cell(value, f"{middle} ({' to '.join(ends)})")


def _between(low: float, high: float) -> str:
    return f"{digits(low)} to {digits(high)}"
