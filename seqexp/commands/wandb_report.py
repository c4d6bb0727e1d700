"""The comparison of a study, as it is logged to wandb."""

from __future__ import annotations

import logging
from pathlib import Path

import pandas as pd

from seqexp.analysis.explorer import payload
from seqexp.analysis.findings import findings
from seqexp.analysis.headlines import headlines
from seqexp.analysis.load import Study
from seqexp.analysis.plots import plots
from seqexp.runs.wandb_mirror import Mirror
from seqexp.runs.wandb_study import Comparison, Table, log_study

_log = logging.getLogger(__name__)


def log_report(study: Study, models: pd.DataFrame, folder: Path, mirror: Mirror) -> bool:
    """Log a study's tables, plots and findings to wandb, and print where they are.

    Args:
        study: its records.
        models: its table.
        folder: the study's, or that of the first of several.
        mirror: where to.

    Returns:
        Whether it is done; if not, one warning says why.
    """
    try:
        comparison = _comparison(study, models)
    # Broad on purpose: a sweep is done, and its report written, whatever comes of this copy.
    except Exception as error:
        _log.warning("the report is not in wandb (%s: %s)", type(error).__name__, error)
        return False
    place = log_study(mirror, comparison, folder)
    if place is not None:
        print(f"wandb: {place}")
    return place is not None


def _comparison(study: Study, models: pd.DataFrame) -> Comparison:
    found = findings(study, models)
    return Comparison(
        study=study.name,
        sentences=headlines(found),
        tables={"models": _table(models), "runs": _table(study.runs)},
        plots=plots(payload(found)),
        counts=study.runs["status"].value_counts().to_dict(),
    )


def _table(frame: pd.DataFrame) -> Table:
    return Table([str(column) for column in frame], frame.to_numpy(object).tolist())
