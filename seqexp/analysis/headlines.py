"""The findings of a study in sentences: what leads the page, and what is told in wandb."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from seqexp.analysis.answers import answer
from seqexp.analysis.findings import Findings
from seqexp.analysis.summary import overview, ranking, verdict


class Headlines(NamedTuple):
    """Sentences, the most interesting first.

    Attributes:
        answer: who gives the most for its cost, then so on each task; empty for one kind of model.
        whole: what else there is to say on the whole study.
        tasks: of each task its findings.
    """

    answer: Sequence[str]
    whole: Sequence[str]
    tasks: Mapping[str, Sequence[str]]


def headlines(found: Findings) -> Headlines:
    """The sentences on a study."""
    study = found.study
    whole = [text for text in (ranking(found.ranks), overview(study)) if text]
    tasks = {
        str(task): verdict(rows, study.baselines(str(task)), found.rivals.get(str(task), []))
        for task, rows in found.table.groupby("task")
    }
    return Headlines(answer(found.volumes), whole, tasks)
