"""The findings of a study in sentences."""

from __future__ import annotations

from seqexp.analysis.answers import answer
from seqexp.analysis.findings import Findings
from seqexp.analysis.summary import overview, ranking, verdict


def headlines(found: Findings) -> list[tuple[str, str]]:
    """What leads the page, each text under its heading: on the whole study, under none, then on
    each task."""
    study = found.study
    texts = [*answer(found.volumes), ranking(found.ranks), overview(study)]
    said = [("", text) for text in texts if text]
    for task, rows in found.table.groupby("task"):
        rivals = found.rivals.get(str(task), [])
        parts = verdict(rows, study.baselines(str(task)), rivals)
        said.append((str(task), " ".join(parts)))
    return said
