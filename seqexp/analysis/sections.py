"""The sections of the report, each from the records to markup."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

import pandas as pd

from seqexp.analysis.answers import growing, tuning
from seqexp.analysis.curves import POINTS
from seqexp.analysis.evidence import (
    comparison_table,
    effort_table,
    front_table,
    further_table,
    growth_table,
    inside_table,
    rank_table,
    tuning_table,
    volume_table,
)
from seqexp.analysis.figures import Figure
from seqexp.analysis.findings import Findings
from seqexp.analysis.headlines import headlines
from seqexp.analysis.load import Study
from seqexp.analysis.machines import apart, not_compared
from seqexp.analysis.model_table import legend, model_table
from seqexp.analysis.notation import interval
from seqexp.analysis.page import (
    Section,
    checkbox,
    details,
    grid,
    panel,
    paragraph,
    preformatted,
    select,
    without_scripts,
)
from seqexp.analysis.table import ON_FRONT, has_front, judged_by, missing

MOST = (
    "The model gives most whose sizes together cover the largest part of the plane of cost (in "
    "decades) and test score; “not settled” where another does in a tenth of the resamples of "
    "seeds and measured costs or more. The tables of each task tell how much."
)

SIZES = "--lengths=64,128,256,512,1024", "--widths=16,32,64,128"
"""With which growth can be told, in about ten minutes for three models on a task."""


class TaskFigures(NamedTuple):
    """The figures of a task: training, learning rates, tuning, scores against costs and lengths,
    and what inspections tell."""

    learning: Sequence[Figure]
    rates: Sequence[Figure]
    trials: Sequence[Figure]
    costs: Sequence[Figure]
    lengths: Sequence[Figure]
    inside: Sequence[Figure]


def lead(found: Findings) -> list[str]:
    """The title and the findings in sentences, on the whole study and on each task."""
    parts = [
        '<p class="quiet">seqexp: performance against cost</p>',
        f"<h1>{escape(found.study.name)}</h1>",
    ]
    said = headlines(found)
    if said.answer:
        first, *each = said.answer
        listed = "\n".join(f"<li>{paragraph(text, '')}</li>" for text in each)
        parts += [paragraph(first, "answer"), f'<ul class="summary">\n{listed}\n</ul>']
        parts.append(paragraph(MOST, "note"))
    parts += [paragraph(text, "summary") for text in said.whole]
    parts.append('<div class="findings">')
    for task, (first, *more) in said.tasks.items():
        body = [paragraph(first, ""), *(paragraph(text, "quiet") for text in more)]
        parts.append(f"<div><h3>{escape(task)}</h3>{''.join(body)}</div>")
    return [*parts, "</div>"]


def comparison(found: Findings) -> Section:
    """One plot of any test metric against any cost, and the models over all tasks."""
    controls = [
        select("task", "Task"),
        select("metric", "Score"),
        select("goal", "Better is", {"": "not recorded", "min": "lower", "max": "higher"}),
        select("cost", "Cost"),
        checkbox("log-score", "logarithmic score"),
        checkbox("log-cost", "logarithmic cost"),
    ]
    about = "The models' test scores against their costs, with the Pareto front as a line"
    note = (
        "Large marks: means over seeds with 95 % intervals, filled on the Pareto front of the "
        "means. Small marks: seeds. Point at a mark to see its run; click on a name to hide it, "
        "twice to see it alone."
    )
    below = (
        "Each task's figures are below; where scripts may run, any score and cost can be chosen."
    )
    return Section(
        "Performance against cost",
        [
            panel("comparison", controls, about),
            paragraph(note, "note scripted"),
            without_scripts(paragraph(below, "note")),
            *rank_table(found.ranks),
        ],
    )


def task(found: Findings, figures: TaskFigures) -> Section:
    """All there is on one task: its tables, its figures, and text that was written.

    Args:
        found: of this task.
        figures: of this task.
    """
    rows, looks = found.table, found.looks
    learning, rates, trials, costs, lengths, inside = figures
    name = str(rows["task"].iloc[0])
    judged = [f"Judged by {judged_by(rows)}."]
    judged += [
        f"Baseline: {baseline}, {interval(score, float('nan'))}."
        for baseline, score in found.study.baselines(name).items()
    ]
    chosen, others = rows.loc[rows["chosen"]], rows.loc[~rows["chosen"]]
    body = [paragraph(" ".join(judged), "quiet"), model_table(chosen, looks)]
    body += _missing(chosen)
    if machines := apart(found.study).get(name):
        body.append(paragraph(not_compared(machines), "note"))
    if has_front(rows):
        body.append(f'<p class="note"><span class="dot">•</span>{ON_FRONT}</p>')
    if len(others):
        told = f"{len(others)} training settings that validation did not choose"
        body.append(details(told, model_table(others, looks), *_missing(others)))
    body += comparison_table(found.rivals.get(name, []))
    if costs:
        direction = "lower" if rows["goal"].iloc[0] == "min" else "higher"
        note = (
            f"Further left is cheaper, {direction} is better. Filled: on the Pareto front (the "
            "grey line), or off it by less than the noise of a time. Bars: 95 % intervals, of "
            "scores over seeds, of times over measurements."
        )
        body += ["<h3>Cost</h3>", paragraph(note, "note"), legend(rows, looks)]
        body += [grid("narrow", costs)]
        names = dict(zip(chosen["label"], chosen["name"], strict=True))
        body += front_table(found.fronts[name], names) + volume_table(found.volumes)
    if further := further_table(found.further, rows):
        drawn = [legend(rows, looks), grid("narrow", lengths)] if lengths else []
        body += ["<h3>Longer sequences</h3>" if lengths else "", *drawn, *further]
    if told := inside_table(found.inside, rows):
        note = (
            "Of each model's bottom layer, by the last inspection of each finished run: the median "
            "over seeds, in the band from the least to the greatest."
        )
        shown = rows.loc[rows["label"].isin(found.inside["label"])]
        drawn = [paragraph(note, "note"), legend(shown, looks), grid("wide", inside)]
        body += ["<h3>Inside</h3>", *(drawn if inside else []), *told]
    body.append('<div class="figures wide">')
    if learning:
        note = (
            "Thick: mean over seeds, in the band from the least to the greatest. Thin: each seed. "
            f"×: diverged. Curves of more than {POINTS} evaluations are thinned to as many."
        )
        over = select("over", "Against")
        drawn = panel("learning", [over], "Validation scores in the course of training", name)
        body += ["<div><h3>Learning</h3>", paragraph(note, "note"), drawn]
        body += [without_scripts(legend(rows, looks) + grid("wide", learning))]
        body += [*effort_table(found.reached), "</div>"]
    if rates:
        note = (
            "Lines: mean validation score over the finished seeds. Small marks: seeds. ×, at the "
            "edge: a seed that diverged or failed."
        )
        drawn = panel("rates", [], "Validation scores against learning rates", name)
        body += ["<div><h3>Learning rate</h3>", paragraph(note, "note"), drawn]
        body += [without_scripts(grid("wide", rates)), *tuning_table(found), "</div>"]
    if trials:
        note = (
            "The validation score to expect of the best of so many runs, drawn from all of a "
            "model, whatever the setting and the seed; a lost run counts as the worst. Too "
            "pessimistic near the right end."
        )
        over = select("over", "Against")
        drawn = panel("trials", [over], "Expected best validation scores of some runs", name)
        said = paragraph(tuning(found.trials, rows, found.tuning), "")
        body += ["<div><h3>Tuning</h3>", said, paragraph(note, "note"), drawn]
        body += [without_scripts(grid("wide", trials)), "</div>"]
    body.append("</div>")
    return Section(name, body + _samples(found.study, rows))


def growth(found: Findings, figures: Sequence[Figure]) -> Section:
    """How the measured costs grow with the length and the width, or how to have them measured."""
    if not figures:
        note = "Not measured for this study. This command does, and the next report shows it:"
        measure = preformatted(_measuring(found.study))
        return Section("How cost grows", [paragraph(note, "note"), measure])
    measured = found.study.growth
    shown = measured.assign(chosen=True, name=measured["label"])
    controls = [
        select("task", "Task"),
        select("cost", "Cost"),
        select("over", "Against"),
    ]
    devices = ", ".join(dict.fromkeys(measured["device"]))
    note = (
        f"Measured by seqexp cost on random sequences, on {devices}. Dashed: the power law, fitted "
        "to the larger half of the sizes where that holds four or more."
    )
    table_note = "The exponent e of cost ~ T^e or H^e, with a 95 % interval over n sizes."
    about = "Costs against the length of sequences or the width of the model"
    return Section(
        "How cost grows",
        [
            *(paragraph(text, "") for text in growing(found.growth)),
            paragraph(note, "note"),
            panel("growth", controls, about),
            without_scripts(legend(shown, found.looks) + grid("wide", figures)),
            paragraph(table_note, "note"),
            *growth_table(found.growth),
        ],
    )


def _measuring(study: Study) -> str:
    """The command that measures how the costs of the study's models grow on its tasks."""
    runs = study.runs
    models, tasks = (",".join(dict.fromkeys(runs[key])) for key in ("model", "task"))
    width = "config/model.features"
    sizes = SIZES if width in runs and not runs[width].isna().to_numpy().any() else SIZES[:1]
    name = runs["study"].iloc[0]
    words = [f"model={models}", f"task={tasks}", *sizes, f"study={name}"]
    words.append(f"runs_dir={study.runs_dir(name)}")
    return shlex.join(["seqexp", "cost", *words])


def _missing(rows: pd.DataFrame) -> list[str]:
    """What the means of rows leave out."""
    told = missing(rows).items()
    return [paragraph(f"Not in the mean of {label}: {seeds}.", "note") for label, seeds in told]


def _samples(study: Study, rows: pd.DataFrame) -> list[str]:
    """The last text that each model of a task wrote, by its first seed that wrote any."""
    parts = []
    for group in rows.loc[rows["chosen"], "group"]:
        runs = study.runs.loc[study.runs["group"] == group]
        written = [run for run in runs.to_dict("records") if study.files[run["run"]].samples]
        if written:
            last = study.files[written[0]["run"]].samples[-1]
            caption = f"{written[0]['label']}, seed {written[0]['seed']}, step {last['step']:,}"
            text = "\n\n".join(str(text) for text in last.get("texts", []))
            parts.append(
                f"<figure><figcaption>{escape(caption)}</figcaption>{preformatted(text)}</figure>"
            )
    return ["<h3>Samples</h3>", '<div class="figures wide">', *parts, "</div>"] if parts else []
