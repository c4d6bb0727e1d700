"""The report of a study: one page that answers its question, and the tables and figures behind it."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

from seqexp.analysis import page
from seqexp.analysis.axes import TABLED
from seqexp.analysis.figures import Figure, cost_figures, learning_figures
from seqexp.analysis.load import Study, load
from seqexp.analysis.looks import Look, looks
from seqexp.analysis.model_table import model_table
from seqexp.analysis.notation import interval
from seqexp.analysis.summary import overview, verdict
from seqexp.analysis.table import judged_by, tabulate

HOW_TO_READ = (
    "Scores are means over the finished seeds with Student's 95 % interval; one seed has none. A "
    "run's score is that of the weights that were best on validation, and the test split is read "
    "once, with them. Settings of a model with equally many parameters compete on validation: the "
    "best stands for the model in figures and comparisons, the others are grey in the table. Costs "
    "are medians over seeds. A model is on the Pareto front against a cost if no other costs as "
    "little and scores as well, and is better in one of the two; the front compares means, so look "
    "at the intervals too."
)


def report(study_dir: Path | str) -> Path:
    """Write the report of a study into its folder, in place of an earlier one.

    Returns:
        `report/index.html`, which needs no other file. Beside it stand `table.csv` (a row a task
        and model), `results.csv` (a row a run) and every figure as SVG. All of them are the same,
        byte for byte, for the same records.

    Raises:
        SeqexpError: the folder is missing, or there is no run in it.
    """
    study = load(study_dir)
    table = tabulate(study)
    folder = Path(study_dir) / "report"
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.svg"):
        old.unlink()
    table.to_csv(folder / "table.csv", index=False)
    study.runs.to_csv(folder / "results.csv", index=False)
    shown = looks(sorted(table["label"][table["chosen"]]))
    body = [*_top(study, table)]
    for task, rows in table.groupby("task"):
        baselines = study.baselines(str(task))
        learning = learning_figures(study, rows, baselines, shown)
        costs = cost_figures(rows, baselines, shown)
        for figure in learning + costs:
            (folder / f"{figure.name}.svg").write_text(figure.svg, encoding="utf-8")
        body += _task(study, rows, shown, learning, costs)
    body += [*_unfinished(study), *_problems(study), *_method(study), *_provenance(study)]
    index = folder / "index.html"
    index.write_text(page.document(f"{study.name}: seqexp report", body), encoding="utf-8")
    return index


def _top(study: Study, table: pd.DataFrame) -> list[str]:
    """The title and the answer."""
    answers = [
        f"<p><b>{escape(str(task))}.</b> {escape(verdict(rows, study.baselines(str(task))))}</p>"
        for task, rows in table.groupby("task")
    ]
    return [
        f"<h1>{escape(study.name)}</h1>",
        '<div class="summary">',
        f"<p>{escape(overview(study))}</p>",
        *answers,
        "</div>",
    ]


def _task(
    study: Study,
    rows: pd.DataFrame,
    shown: Mapping[str, Look],
    learning: list[Figure],
    costs: list[Figure],
) -> list[str]:
    """All there is on one task."""
    task = str(rows["task"].iloc[0])
    baselines = study.baselines(task)
    known = "; ".join(f"{name} {interval(value, float('nan'))}" for name, value in baselines.items())
    judged = f"Judged by {judged_by(rows)}." + (f" Without a model: {known}." if known else "")
    parts = [page.heading(task, task), page.paragraph(judged, "quiet"), model_table(rows, shown)]
    if rows[[column for column in rows if str(column).startswith("front/")]].to_numpy().any():
        note = '<span class="dot">•</span>on the Pareto front of the test score against this cost'
        parts.append(f'<p class="note">{note}</p>')
    if learning:
        note = "Thick: mean over seeds; thin: each seed; ×: diverged."
        parts += ["<h3>Learning</h3>", page.paragraph(note, "note"), page.grid("learning", learning)]
    if costs:
        note = "Filled: on the Pareto front, which is the grey line. Bars: 95 % intervals over seeds."
        parts += ["<h3>Cost</h3>", page.paragraph(note, "note"), page.grid("costs", costs)]
    return parts + _samples(study, rows)


def _samples(study: Study, rows: pd.DataFrame) -> list[str]:
    """The last text that each model of a task wrote, by its first seed that wrote any."""
    parts = []
    for task, label in rows.loc[rows["chosen"], ["task", "label"]].to_numpy():
        runs = study.runs[(study.runs["task_label"] == task) & (study.runs["label"] == label)]
        written = [run for run in runs["run"] if study.files[run].samples]
        if written:
            run, last = study.files[written[0]].run, study.files[written[0]].samples[-1]
            text = "\n\n".join(last.get("texts", []))
            caption = f"{label}, seed {run['seed']}, after {last['step']:,} steps"
            parts.append(
                f"<figure><pre>{escape(text)}</pre>"
                f"<figcaption>{escape(caption)}</figcaption></figure>"
            )
    return ["<h3>Samples</h3>", '<div class="figures learning">', *parts, "</div>"] if parts else []


def _unfinished(study: Study) -> list[str]:
    """Runs without a score, each with its reason."""
    runs = study.runs[study.runs["status"] != "finished"]
    if runs.empty:
        return []
    rows = [
        page.texts(
            run["task_label"], run["label"], str(run["seed"]), run["status"], _reason(study, run)
        )
        for run in runs.to_dict("records")
    ]
    names = ("Task", "Model", "Seed", "Status", "Reason")
    headings = [f"<th>{name}</th>" for name in names]
    return [page.heading("Not finished", "unfinished"), page.table("", headings, rows)]


def _reason(study: Study, run: dict[Any, Any]) -> str:
    metrics = study.files[run["run"]].metrics
    last = f"last record at step {metrics[-1]['step']:,}" if metrics else "no record yet"
    if run["status"] == "diverged":
        return f"not finite at step {run['diverged_step']:,.0f}"
    return str(run["error"] or last) if run["status"] == "failed" else last


def _problems(study: Study) -> list[str]:
    """What could not be used."""
    if not study.problems:
        return []
    rows = [page.texts(problem.where, problem.what) for problem in study.problems]
    headings = ["<th>File</th>", "<th>Problem</th>"]
    return [page.heading("Left out", "left-out"), page.table("", headings, rows)]


def _method(study: Study) -> list[str]:
    """How the numbers came about."""
    said: dict[str, str] = {}
    for files in study.files.values():
        said = {**files.cost.get("methods", {}), **said}
    methods = {axis.name.capitalize(): said[axis.key] for axis in TABLED if axis.key in said}
    return [
        page.heading("How to read this", "method"),
        page.paragraph(HOW_TO_READ, ""),
        page.definitions(methods),
    ]


def _provenance(study: Study) -> list[str]:
    """What ran it: every entry of the manifests, and how many runs say so where they differ."""
    found: dict[str, Counter[str]] = {}
    for files in study.files.values():
        for key, value in files.manifest.items():
            if value not in (None, "", [], {}):
                found.setdefault(key, Counter())[_told(key, value)] += 1
    entries = {}
    for key, texts in found.items():
        name = key.replace("_", " ").capitalize()
        if key == "started_at":
            entries[name] = " to ".join(dict.fromkeys([min(texts), max(texts)]))
        elif len(texts) == 1:
            entries[name] = next(iter(texts))
        else:
            entries[name] = "; ".join(f"{text} ({n} runs)" for text, n in sorted(texts.items()))
    links = ", ".join(
        f'<a href="{file}">{file}</a> ({what})'
        for file, what in (("table.csv", "a row a task and model"), ("results.csv", "a row a run"))
    )
    return [
        page.heading("Provenance", "provenance"),
        page.definitions(entries),
        f'<p class="note">Data: {links}; the figures are beside this page as SVG.</p>',
    ]


def _told(key: str, value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {child}" for name, child in value.items())
    if isinstance(value, list):
        return shlex.join(str(word) for word in value) if key == "command" else f"{len(value)} times"
    return str(value)
