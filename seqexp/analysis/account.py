"""The sections that account for the records: what is missing, how it was made, what made it."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from seqexp.analysis.axes import TABLED
from seqexp.analysis.load import Study
from seqexp.analysis.page import Section, definitions, paragraph, preformatted, table, texts
from seqexp.analysis.reproducibility import spreads
from seqexp.analysis.wording import listed
from seqexp.runs.plans import PLANNED

HOW_TO_READ = (
    "Scores are means over the finished seeds with Student's 95 % interval; one seed has none. A "
    "run's score is that of the weights that were best on validation; the test split is read once, "
    "with them.",
    "Training settings of one model compete on validation: the best stands for the model in "
    "figures and comparisons, the others are listed below its table. Costs are medians over seeds.",
    "All seeds answer the same test split, so that its own sampling error is no part of an "
    "interval over seeds. Beside an accuracy it stands, binomial and as if targets were "
    "independent, where the records tell the number of targets; of other scores they do not tell "
    "the spread that it takes.",
    "A model is on the Pareto front against a cost if no other costs no more and scores no worse, "
    "and is better in one of the two. The front compares means: look at the intervals too.",
    "Training time is the time of a step, measured alone, times the steps: it does not depend on "
    "how many runs were trained side by side. Training FLOPs are those of a step times the steps.",
)

SHOWN = 100
"""So many planned runs without a record are listed."""

GIVEN_UP = (
    "A sweep that was given up leaves its plan: to be told of it no more, delete its file in "
    f"{PLANNED}, in the study's folder."
)


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
    return last if run["status"] == "running" else str(run["error"] or last)


def unrecorded(study: Study) -> Section:
    """Planned runs without a record, each with what is known of it."""
    rows = [texts(run.study, run.name, run.why) for run in study.unrecorded[:SHOWN]]
    body = [table("", ("Study", "Run", "Reason"), rows), paragraph(GIVEN_UP, "")] if rows else []
    if more := len(study.unrecorded) - len(rows):
        body.append(paragraph(f"And {more:,} more: seqexp status --all lists them.", ""))
    return Section("Planned, without a record", body)


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
    texts = [*HOW_TO_READ, _reproducibility(study)]
    body = [paragraph(text, "") for text in texts] + [definitions(costs)]
    if unknown := _unknown(study):
        body += ["<h3>Costs that are not known</h3>", definitions(unknown)]
    return Section("How to read this", body)


def _unknown(study: Study) -> dict[str, str]:
    """Of each cost that the records do not know, why, and of which models."""
    models: dict[tuple[str, str], dict[str, None]] = {}
    for files in study.files.values():
        for axis in TABLED:
            if why := files.cost.get("reasons", {}).get(axis.key):
                models.setdefault((axis.name, str(why)), {})[files.run.model] = None
    told: dict[str, str] = {}
    for (name, why), which in models.items():
        told[name] = "; ".join(filter(None, (told.get(name), f"{listed(list(which))}: {why}")))
    return told


def _reproducibility(study: Study) -> str:
    """What measured costs vary by, and what follows from it."""
    told = []
    for key, (relative, freedom) in spreads(study).items():
        name = next(axis.name for axis in TABLED if axis.key == key)
        source = f"{freedom} repetitions" if freedom else "stated"
        told.append(f"{100 * relative:.2g} % for {name} ({source})")
    return (
        "From one measurement of a program to the next measured costs vary by more than the steps "
        f"within one: by a relative standard deviation of {listed(told)}, estimated from what this "
        "study measured repeatedly or, stated, from experiments/budgets. Fronts, probabilities, "
        "shares and the bars in figures take it into account. On a front of means a time is less "
        "than another only where a 95 % interval of their ratio says so."
    )


def reproduce(study: Study) -> Section:
    """The commands to copy: the code that ran, what trained, what was measured, this report."""
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
    lines += [command for command in dict.fromkeys(study.growth["command"]) if command]
    folders = [Path(study.runs_dir(name)) / name for name in dict.fromkeys(study.runs["study"])]
    lines.append(shlex.join(["seqexp", "report", *map(str, folders)]))
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
