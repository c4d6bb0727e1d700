"""The report of a study: a page that answers its question, the tables and figures behind it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from seqexp.analysis import account, page, sections
from seqexp.analysis.explorer import payload
from seqexp.analysis.figures import (
    Figure,
    cost_figures,
    learning_figures,
    rate_figures,
    trial_figures,
)
from seqexp.analysis.findings import Findings, findings
from seqexp.analysis.further import length_figures
from seqexp.analysis.growth import growth_figures
from seqexp.analysis.inside import inside_figures
from seqexp.analysis.load import load
from seqexp.analysis.table import tabulate
from seqexp.runs.replacing import replaced


def report(*studies: Path | str) -> Path:
    """Write the report of studies into the folder of the first, in place of an earlier one.

    Returns:
        `report/index.html`, see `write_report`.

    Raises:
        SeqexpError: a folder is missing, there is no run in any of them, or it can not be written.
    """
    study = load(*studies)
    return write_report(findings(study, tabulate(study)), Path(studies[0]) / "report")


OURS = ("index.html", "table.csv", "results.csv", "results.json", "*.svg", "*.pdf")
"""The files of a report."""


def write_report(found: Findings, folder: Path) -> Path:
    """Write the report of a study, all of it or, where that is not possible, nothing.

    Args:
        found: what the analysis finds in it.
        folder: where to write, in place of an earlier report.

    Returns:
        `index.html` in it, which needs no other file. Beside it stand `table.csv` (a row a task and
        model), `results.csv` and `results.json` (a row a run), and every figure as SVG and as PDF.
        All of them are the same, byte for byte, for the same records.

    Raises:
        SeqexpError: the folder can not be written; an earlier report is as it was.
    """
    remedy = "seqexp report STUDY --to FOLDER writes the report elsewhere"
    with replaced(folder, OURS, remedy) as new:
        _write_all(found, new)
    return folder / "index.html"


def _write_all(found: Findings, folder: Path) -> None:
    study, models = found.study, found.table
    parts = [sections.comparison(found)]
    for task in models["task"].unique():
        mine = found.of(str(task))
        figures = _figures(mine)
        for kind in figures:
            _write(kind, folder)
        parts.append(sections.task(mine, figures))
    growing = growth_figures(study.growth, found.growth, found.looks)
    _write(growing, folder)
    parts += [
        sections.growth(found, growing),
        account.unfinished(study),
        account.unrecorded(study),
        account.left_out(study),
        account.method(study),
        account.reproduce(study),
        account.provenance(study),
    ]
    rows = study.runs.astype(object).where(study.runs.notna(), None).to_dict("records")
    texts = {
        "table.csv": models.to_csv(index=False),
        "results.csv": study.runs.to_csv(index=False),
        "results.json": json.dumps(rows, indent=1, ensure_ascii=False),
        "index.html": page.document(study.name, sections.lead(found), parts, payload(found)),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")


def _figures(found: Findings) -> sections.TaskFigures:
    rows, looks = found.table, found.looks
    baselines = found.study.baselines(str(rows["task"].iloc[0]))
    return sections.TaskFigures(
        learning=learning_figures(found.curves, rows, baselines, looks),
        rates=rate_figures(found.rates, rows, looks),
        trials=trial_figures(found.trials, rows, looks),
        costs=cost_figures(rows, baselines, looks),
        lengths=length_figures(found.further, rows, looks),
        inside=inside_figures(found.study, rows, looks),
    )


def _write(figures: Sequence[Figure], folder: Path) -> None:
    for figure in figures:
        (folder / f"{figure.name}.svg").write_text(figure.svg, encoding="utf-8")
        (folder / f"{figure.name}.pdf").write_bytes(figure.pdf)
