"""The findings of a study in sentences."""

from __future__ import annotations

from seqexp.analysis.findings import Findings
from seqexp.analysis.summary import overview, ranking, verdict


def headlines(found: Findings) -> list[tuple[str, str]]:
    """What there is to say, under its heading: on the whole study, under none, and on each task."""
    study = found.study
    said = [("", text) for text in (overview(study), ranking(found.ranks)) if text]
    for task, rows in found.table.groupby("task"):
        rivals = found.rivals.get(str(task), [])
        said.append((str(task), verdict(rows, study.baselines(str(task)), rivals)))
    return said
