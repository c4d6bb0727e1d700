"""The tables behind the page's sentences: comparisons, tuning, what it took to learn, ranks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import pandas as pd

from seqexp.analysis.comparisons import compare
from seqexp.analysis.contenders import Contender
from seqexp.analysis.findings import Findings
from seqexp.analysis.notation import digits, interval, shortened
from seqexp.analysis.page import details, heading, number, number_heading, paragraph, rich_table

COMPARED = ("Seeds, of both", "Ahead by", "Effect, g", "Better, probability", "p, corrected")
TUNED = ("Rates, tried", "Best, rate", "Working, from", "Working, to", "Width, decades", "Runs")
TUNED += ("Lost", "Training, s", "Training, FLOPs")
LEARNED = ("Reached, of the seeds", "Training, steps", "Training, examples", "Training, FLOPs")
LEARNED += ("Training, s",)
RANKED = ("Tasks", "Seeds", "Rank, mean", "Rank, interval", "Best, probability", "Score, mean")
RANKED += ("Score, IQM",)
"""The columns of the tables, each with its unit."""


def comparison_table(rivals: Sequence[Contender]) -> list[str]:
    """Every two models of a task against each other; nothing where there is but one."""
    pairs = compare({"": rivals})
    if pairs.empty:
        return []
    note = (
        "By how much the first is ahead, over the seeds that both finished, with a 95 % interval "
        "and in standard deviations (Hedges' g); the probability that a run of the first is "
        "better than one of the second, diverged runs being worst; p of a sign-flip test, "
        "corrected for all comparisons of this table (Holm)."
    )
    headings = _headings(("Model", "Against"), COMPARED)
    rows = [
        _name(pair["a"])
        + _name(pair["b"])
        + number(pair["n"], str(pair["n"]))
        + number(pair["advantage"], interval(pair["advantage"], pair["advantage_half"]))
        + number(pair["effect"], digits(pair["effect"]))
        + number(pair["improvement"], _chance(pair))
        + number(pair["p_holm"], digits(pair["p_holm"]))
        for pair in pairs.to_dict("records")
    ]
    return [details("Comparisons", paragraph(note, "note"), rich_table("", headings, rows))]


def tuning_table(found: Findings) -> list[str]:
    """How each model of a task minds its learning rate, and what trying them all has cost."""
    if found.windows.empty or found.windows["rates"].max() < 2:
        return []
    note = (
        "Rates work that lose no more seeds than the best one, and at most a tenth of its lead "
        "over the baseline, on validation. A window that ends at a rate on the edge of those tried "
        "may be wider. Costs are of all runs, those of settings not chosen included."
    )
    headings = _headings(("Model",), TUNED)
    told = found.windows.merge(found.tuning, on=["task", "label"]).to_dict("records")
    lines = [
        _name(row["label"])
        + number(row["rates"], str(row["rates"]))
        + "".join(number(row[key], f"{row[key]:g}") for key in ("best", "low", "high"))
        + number(row["decades"], ("" if row["bounded"] else "≥ ") + f"{row['decades']:.2g}")
        + number(row["runs"], str(row["runs"]))
        + number(lost := row["diverged"] + row["failed"], str(lost))
        + number(row["seconds"], digits(row["seconds"]))
        + number(row["flops"], shortened(row["flops"]))
        for row in told
    ]
    return [details("Tuning", paragraph(note, "note"), rich_table("", headings, lines))]


def effort_table(reached: pd.DataFrame) -> list[str]:
    """What each model of a task took to reach a validation score that all of them reached."""
    if reached.empty:
        return []
    target = interval(reached["target"].iloc[0], float("nan"))
    note = (
        f"Until the validation score was first as good as {target}, which every finished run "
        "reached; the median over seeds, as far as evaluations tell."
    )
    headings = _headings(("Model",), LEARNED)
    lines = [
        _name(row["label"])
        + number(row["reached"], f"{row['reached']} of {row['n']}")
        + "".join(number(row[key], shortened(row[key])) for key in ("step", "examples", "flops"))
        + number(row["seconds"], digits(row["seconds"]))
        for row in reached.to_dict("records")
    ]
    return [details("Effort to learn", paragraph(note, "note"), rich_table("", headings, lines))]


def rank_table(ranks: pd.DataFrame) -> list[str]:
    """The models over all tasks; nothing for one task or one model."""
    if ranks["tasks"].max() < 2 or len(ranks) < 2:
        return []
    note = (
        "Mean rank over the tasks, 1 for the best, with its 95 % interval and the probability to "
        "have the best one, over resamples of the seeds. The score is the mean over the tasks on a "
        "scale from 0, the baseline, to 1, the best model; then the interquartile mean over the "
        "seeds of all tasks."
    )
    headings = _headings(("Model",), RANKED)
    lines = [
        _name(row["contender"])
        + number(row["tasks"], str(row["tasks"]))
        + number(row["n"], str(row["n"]))
        + number(row["rank"], digits(row["rank"]))
        + number(row["rank_low"], _between(row["rank_low"], row["rank_high"]))
        + number(row["best_probability"], digits(row["best_probability"]))
        + number(row["score"], interval(row["score"], row["score_half"]))
        + number(row["iqm"], f"{digits(row['iqm'])} ({_between(row['iqm_low'], row['iqm_high'])})")
        for row in ranks.to_dict("records")
    ]
    return [details("Over all tasks", paragraph(note, "note"), rich_table("", headings, lines))]


def _headings(names: Sequence[str], numbers: Sequence[str]) -> list[str]:
    return [heading(name) for name in names] + [number_heading(*n.split(", ")) for n in numbers]


def _name(text: str) -> str:
    return f'<td class="name">{escape(text)}</td>'


def _chance(pair: Mapping[Any, Any]) -> str:
    between = _between(pair["improvement_low"], pair["improvement_high"])
    return f"{digits(pair['improvement'])} ({between})"


def _between(low: float, high: float) -> str:
    return f"{digits(low)} to {digits(high)}"
