"""The sections of the report, each from the records to markup."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import pandas as pd

from seqexp.analysis.axes import TABLED
from seqexp.analysis.figures import Figure
from seqexp.analysis.load import Study
from seqexp.analysis.looks import Look
from seqexp.analysis.model_table import legend, model_table
from seqexp.analysis.notation import interval
from seqexp.analysis.page import Section, definitions, grid, paragraph, table, texts
from seqexp.analysis.summary import overview, verdict
from seqexp.analysis.table import has_front, judged_by

HOW_TO_READ = (
    "Scores are means over the finished seeds with Student's 95 % interval; one seed has none. A "
    "run's score is that of the weights that were best on validation; the test split is read once, "
    "with them.",
    "Training settings of one model compete on validation: the best stands for "
    "the model in figures and comparisons, the others are grey in the table. Costs are medians "
    "over seeds.",
    "A model is on the Pareto front against a cost if no other costs no more and scores no worse, "
    "and is better in one of the two. The front compares means: look at the intervals too.",
)


def answer(study: Study, models: pd.DataFrame) -> list[str]:
    """The title and the summary, of the whole table."""
    parts = [
        '<p class="quiet">seqexp: performance against cost</p>',
        f"<h1>{escape(study.name)}</h1>",
        paragraph(overview(study), "summary"),
    ]
    for task, rows in models.groupby("task"):
        text = verdict(rows, study.baselines(str(task)))
        parts.append(f'<p class="summary"><b>{escape(str(task))}.</b> {escape(text)}</p>')
    return parts


def task(
    study: Study,
    rows: pd.DataFrame,
    looks: Mapping[str, Look],
    learning: Sequence[Figure],
    costs: Sequence[Figure],
) -> Section:
    """All there is on one task: its rows of the table, its figures, and text that was written."""
    name = str(rows["task"].iloc[0])
    judged = [f"Judged by {judged_by(rows)}."]
    judged += [
        f"Baseline: {baseline}, {interval(score, float('nan'))}."
        for baseline, score in study.baselines(name).items()
    ]
    body = [paragraph(" ".join(judged), "quiet"), model_table(rows, looks)]
    if has_front(rows):
        note = '<span class="dot">•</span>on the Pareto front of the test score against this cost'
        body.append(f'<p class="note">{note}</p>')
    if learning:
        note = "Thick: mean over seeds. Thin: each seed. ×: diverged."
        body += ["<h3>Learning</h3>", paragraph(note, "note"), legend(rows, looks)]
        body += [grid("wide", learning)]
    if costs:
        direction = "lower" if rows["goal"].iloc[0] == "min" else "higher"
        note = (
            f"Further left is cheaper, {direction} is better. Filled: on the Pareto front, the "
            "grey line. Bars: 95 % intervals over seeds."
        )
        body += ["<h3>Cost</h3>", paragraph(note, "note"), legend(rows, looks)]
        body += [grid("narrow", costs)]
    return Section(name, body + _samples(study, rows))


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
                f"<figure><figcaption>{escape(caption)}</figcaption>"
                f'<pre tabindex="0">{escape(text)}</pre></figure>'
            )
    return ["<h3>Samples</h3>", '<div class="figures wide">', *parts, "</div>"] if parts else []


def unfinished(study: Study) -> Section:
    """Runs without a score, each with its reason."""
    rows = [
        texts(run["task_label"], run["label"], str(run["seed"]), run["status"], _end(study, run))
        for run in study.runs.to_dict("records")
        if run["status"] != "finished"
    ]
    headings = ("Task", "Model", "Seed", "Status", "Reason")
    return Section("Not finished", [table("", headings, rows)] if rows else [])


def _end(study: Study, run: dict[Any, Any]) -> str:
    metrics = study.files[run["run"]].metrics
    last = f"last record at step {metrics[-1]['step']:,}" if metrics else "no record yet"
    if run["status"] == "diverged" and pd.notna(run["diverged_step"]):
        return f"not finite at step {run['diverged_step']:,.0f}"
    return str(run["error"]) if run["status"] == "failed" else last


def left_out(study: Study) -> Section:
    """What could not be used of the records."""
    rows = [texts(problem.where, problem.what) for problem in study.problems]
    return Section("Left out", [table("", ("File", "Problem"), rows)] if rows else [])


def method(study: Study) -> Section:
    """How the numbers came about, in general and each cost."""
    said: dict[str, str] = {}
    for files in study.files.values():
        said = {**files.cost.get("methods", {}), **said}
    costs = {axis.name: said[axis.key] for axis in TABLED if axis.key in said}
    return Section(
        "How to read this", [paragraph(text, "") for text in HOW_TO_READ] + [definitions(costs)]
    )


def provenance(study: Study) -> Section:
    """What ran it: every entry of the manifests, and how many runs say so where they differ."""
    found: dict[str, Counter[str]] = {}
    for files in study.files.values():
        for key, value in files.manifest.items():
            if value not in (None, "", [], {}):
                found.setdefault(key, Counter())[_told(key, value)] += 1
    entries = {}
    for key, said in found.items():
        if key == "started_at":
            text = " to ".join(dict.fromkeys([min(said), max(said)]))
        elif len(said) == 1:
            text = next(iter(said))
        else:
            text = "; ".join(f"{text} ({runs} of the runs)" for text, runs in sorted(said.items()))
        entries[key.replace("_", " ")] = text
    links = (
        '<p class="note">Data: <a href="table.csv">table.csv</a> (a row a task and model), '
        '<a href="results.csv">results.csv</a> (a row a run); the figures are beside this page as '
        "SVG.</p>"
    )
    return Section("Provenance", [definitions(entries), links])


def _told(key: str, value: Any) -> str:
    if key == "command" and isinstance(value, list):
        return shlex.join(str(word) for word in value)
    if isinstance(value, dict):
        return ", ".join(f"{name} {child}" for name, child in value.items())
    return f"{len(value)} times" if isinstance(value, list) else str(value)
