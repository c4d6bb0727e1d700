"""The sections of the report, each from the records to markup."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from html import escape
from typing import Any

import pandas as pd

from seqexp.analysis.axes import TABLED
from seqexp.analysis.curves import POINTS
from seqexp.analysis.evidence import (
    comparison_table,
    effort_table,
    rank_table,
    tuning_table,
)
from seqexp.analysis.figures import Figure
from seqexp.analysis.findings import Findings
from seqexp.analysis.load import Study
from seqexp.analysis.model_table import legend, model_table
from seqexp.analysis.notation import interval
from seqexp.analysis.page import (
    Section,
    checkbox,
    definitions,
    grid,
    panel,
    paragraph,
    preformatted,
    select,
    table,
    texts,
    without_scripts,
)
from seqexp.analysis.summary import overview, ranking, verdict
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


def answer(found: Findings) -> list[str]:
    """The title and the findings in sentences, on the whole study and on each task."""
    study = found.study
    parts = [
        '<p class="quiet">seqexp: performance against cost</p>',
        f"<h1>{escape(study.name)}</h1>",
        paragraph(overview(study), "summary"),
    ]
    over_all = ranking(found.ranks)
    parts += [paragraph(over_all, "summary")] if over_all else []
    parts.append('<div class="findings">')
    for task, rows in found.table.groupby("task"):
        text = verdict(rows, study.baselines(str(task)), found.rivals.get(str(task), []))
        parts.append(f"<div><h3>{escape(str(task))}</h3>{paragraph(text, '')}</div>")
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


def task(
    found: Findings, learning: Sequence[Figure], rates: Sequence[Figure], costs: Sequence[Figure]
) -> Section:
    """All there is on one task: its tables, its figures, and text that was written.

    Args:
        found: of this task.
        learning: its figures of the course of training.
        rates: its figures of learning rates.
        costs: its figures of scores against costs.
    """
    rows, looks = found.table, found.looks
    name = str(rows["task"].iloc[0])
    judged = [f"Judged by {judged_by(rows)}."]
    judged += [
        f"Baseline: {baseline}, {interval(score, float('nan'))}."
        for baseline, score in found.study.baselines(name).items()
    ]
    body = [paragraph(" ".join(judged), "quiet"), model_table(rows, looks)]
    if has_front(rows):
        note = '<span class="dot">•</span>on the Pareto front of the test score against this cost'
        body.append(f'<p class="note">{note}</p>')
    body += comparison_table(found.rivals.get(name, []))
    body += tuning_table(found) + effort_table(found.reached)
    if costs:
        direction = "lower" if rows["goal"].iloc[0] == "min" else "higher"
        note = (
            f"Further left is cheaper, {direction} is better. Filled: on the Pareto front, the "
            "grey line. Bars: 95 % intervals over seeds."
        )
        body += ["<h3>Cost</h3>", paragraph(note, "note"), legend(rows, looks)]
        body += [grid("narrow", costs)]
    body.append('<div class="figures wide">')
    if learning:
        note = (
            "Thick: mean over seeds, in the band from the least to the greatest. Thin: each seed. "
            f"×: diverged. Curves of more than {POINTS} evaluations are thinned to as many."
        )
        over = select("over", "Against")
        drawn = panel("learning", [over], "Validation scores in the course of training", name)
        body += ["<div><h3>Learning</h3>", paragraph(note, "note"), drawn]
        body += [without_scripts(legend(rows, looks) + grid("wide", learning)), "</div>"]
    if rates:
        note = (
            "Lines: mean validation score over the finished seeds. Small marks: seeds. ×, at the "
            "edge: a seed that diverged or failed."
        )
        drawn = panel("rates", [], "Validation scores against learning rates", name)
        body += ["<div><h3>Learning rate</h3>", paragraph(note, "note"), drawn]
        body += [without_scripts(grid("wide", rates)), "</div>"]
    body.append("</div>")
    return Section(name, body + _samples(found.study, rows))


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


def unfinished(study: Study) -> Section:
    """Runs without a score, each with its reason."""
    rows = [
        texts(
            *(run["task_label"], run["label"], str(run["seed"]), run["status"], _end(study, run)),
            f"{run['study']}/{run['folder']}",
        )
        for run in study.runs.to_dict("records")
        if run["status"] != "finished"
    ]
    headings = ("Task", "Model", "Seed", "Status", "Reason", "Folder")
    return Section("Not finished", [table("", headings, rows)] if rows else [])


def _end(study: Study, run: dict[Any, Any]) -> str:
    steps = study.curves.loc[study.curves["run"] == run["run"], "step"]
    last = f"last record at step {steps.max():,}" if len(steps) else "no record yet"
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


def reproduce(study: Study) -> Section:
    """The commands that made the records, to copy: the code, what ran, and this report."""
    manifests = [files.manifest for files in study.files.values()]
    code = Counter(
        (git.get("revision"), bool(git.get("dirty")))
        for git in (manifest.get("git") for manifest in manifests)
        if isinstance(git, dict) and git.get("revision")
    )
    lines = []
    for (revision, dirty), runs in sorted(code.items()):
        note = f"{runs} of {len(manifests)} runs"
        note += ", with changes that were not committed" if dirty else ""
        lines.append(f"git checkout {revision}  # {note}")
    said = [manifest.get("command") for manifest in manifests]
    lines += dict.fromkeys(_typed(words) for words in said if isinstance(words, list))
    folders = dict.fromkeys(study.runs["study"])
    lines.append(shlex.join(["seqexp", "report", *(f"runs/{folder}" for folder in folders)]))
    return Section("Reproduce", [preformatted("\n".join(lines))])


def _typed(command: Sequence[Any]) -> str:
    """A recorded command as it was typed: Hydra is told to sweep by a flag, seqexp by a word."""
    first, *words = (str(word) for word in command)
    if first != "seqexp":
        return shlex.join([first, *words])
    swept = "--multirun" in words or "-m" in words
    kept = [word for word in words if word not in ("--multirun", "-m")]
    return shlex.join(["seqexp", "sweep" if swept else "run", *kept])


def provenance(study: Study) -> Section:
    """What ran it: every entry of the manifests, and how many runs say so where they differ."""
    found: dict[str, Counter[str]] = {}
    for files in study.files.values():
        for key, value in files.manifest.items():
            if value not in (None, "", [], {}) and key != "command":
                found.setdefault(key, Counter())[_told(value)] += 1
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
        '<a href="results.csv">results.csv</a> and <a href="results.json">results.json</a> (a row '
        "a run); the figures are beside this page, as SVG and as PDF.</p>"
    )
    return Section("Provenance", [definitions(entries), links])


def _told(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {child}" for name, child in value.items())
    return f"{len(value)} times" if isinstance(value, list) else str(value)
