"""The report of a study: a page that answers its question, the tables and figures behind it."""

from __future__ import annotations

from pathlib import Path

from seqexp.analysis import page, sections
from seqexp.analysis.figures import cost_figures, learning_figures
from seqexp.analysis.load import load
from seqexp.analysis.looks import looks
from seqexp.analysis.table import tabulate


def report(*studies: Path | str) -> Path:
    """Write the report of studies into the folder of the first, in place of an earlier one.

    Returns:
        `report/index.html`, which needs no other file. Beside it stand `table.csv` (a row a task
        and model), `results.csv` (a row a run) and every figure as SVG. All of them are the same,
        byte for byte, for the same records.

    Raises:
        SeqexpError: a folder is missing, or there is no run in any of them.
    """
    study = load(*studies)
    models = tabulate(study)
    look = looks(models.loc[models["chosen"]])
    folder = Path(studies[0]) / "report"
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.svg"):
        old.unlink()
    parts = []
    for task, rows in models.groupby("task"):
        baselines = study.baselines(str(task))
        learning = learning_figures(study, rows, baselines, look)
        costs = cost_figures(rows, baselines, look)
        for figure in learning + costs:
            (folder / f"{figure.name}.svg").write_text(figure.svg, encoding="utf-8")
        parts.append(sections.task(study, rows, look, learning, costs))
    parts += [
        sections.unfinished(study),
        sections.left_out(study),
        sections.method(study),
        sections.provenance(study),
    ]
    models.to_csv(folder / "table.csv", index=False)
    study.runs.to_csv(folder / "results.csv", index=False)
    index = folder / "index.html"
    text = page.document(study.name, sections.answer(study, models), parts)
    index.write_text(text, encoding="utf-8")
    return index
