"""The comparison of a study, as it is logged to wandb."""

from __future__ import annotations

import logging
from pathlib import Path

import pandas as pd

from seqexp.analysis.explorer import payload
from seqexp.analysis.findings import Findings
from seqexp.analysis.headlines import headlines
from seqexp.analysis.plots import plots
from seqexp.runs.wandb_mirror import Mirror
from seqexp.runs.wandb_study import Comparison, Table, log_study

_log = logging.getLogger(__name__)


def log_report(found: Findings, folder: Path, mirror: Mirror) -> bool:
    """Log a study's tables, plots and findings to wandb, and print where they are.

    Args:
        found: what the analysis finds in the study.
        folder: the study's, or that of the first of several.
        mirror: where to.

    Returns:
        Whether it is done; if not, one warning says why.
    """
    try:
        comparison = _comparison(found)
    # Broad on purpose: a sweep is done, and its report written, whatever comes of this copy.
    except Exception as error:
        _log.warning("the report is not in wandb (%s: %s)", type(error).__name__, error)
        return False
    place = log_study(mirror, comparison, folder)
    if place is not None:
        print(f"wandb: {place}")
    return place is not None


def _comparison(found: Findings) -> Comparison:
    study, said = found.study, headlines(found)
    whole = [("", text) for text in (*said.answer, *said.whole)]
    return Comparison(
        study=study.name,
        sentences=[*whole, *((task, " ".join(texts)) for task, texts in said.tasks.items())],
        tables={"models": _table(found.table), "runs": _table(study.runs)},
        plots=plots(payload(found)),
        counts=study.runs["status"].value_counts().to_dict(),
    )


def _table(frame: pd.DataFrame) -> Table:
    return Table([str(column) for column in frame], frame.to_numpy(object).tolist())
