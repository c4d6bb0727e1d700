"""A study's comparison in wandb: one run beside those that it compares, replaced by the next."""

from __future__ import annotations

import hashlib
import logging
import math
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

from seqexp.runs import wandb_session
from seqexp.runs.wandb_files import measured
from seqexp.runs.wandb_mirror import Mirror, tags
from seqexp.runs.wandb_session import save_archive, staging_in
from seqexp.runs.wandb_thread import Unresponsive, in_time
from seqexp.types import first_line

JOB_TYPE = "study"

_log = logging.getLogger(__name__)


class Table(NamedTuple):
    """Names of columns, and rows of plain values."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


class Comparison(NamedTuple):
    """What there is to see of a study.

    Attributes:
        study: its name.
        sentences: its findings, a heading and a text each; the first heading may be empty.
        tables: by what they hold.
        plots: figures of plotly by what they show; the part before a "/" is their section.
        counts: of its runs, by how they ended.
    """

    study: str
    sentences: Sequence[tuple[str, str]]
    tables: Mapping[str, Table]
    plots: Mapping[str, Any]
    counts: Mapping[str, int]


def study_id(study: str) -> str:
    """The id of a study's run: the same for the same name, so that a report replaces the last."""
    return f"study-{hashlib.sha256(study.encode()).hexdigest()[:12]}"


def log_study(mirror: Mirror, comparison: Comparison, directory: Path) -> str | None:
    """Log a comparison as the run of its study: group and tag are its name, the job type "study".

    Args:
        mirror: where to; nothing happens where it is disabled.
        comparison: what to show.
        directory: the study's folder; wandb writes into its subfolder `wandb`. What `seqexp cost`
            measured in it goes along.

    Returns:
        Where to see it: its address, or the folder that `wandb sync` sends. None where it is not
        logged: whatever goes wrong in wandb is one warning.
    """
    if mirror.mode == "disabled":
        return None
    try:
        # Opening, uploading and closing it, each with what it may take.
        seconds = 3 * wandb_session.CALL_TIMEOUT + wandb_session.FINISH_TIMEOUT
        return in_time(seconds, lambda: _log_study(mirror, comparison, directory))
    except Unresponsive:
        return None
    # Broad on purpose: the report is written, and a mirror that breaks must not hide that.
    except Exception as error:
        _log.warning("wandb failed (%s); the report is not in wandb", first_line(error))
        return None


def _log_study(mirror: Mirror, comparison: Comparison, directory: Path) -> str:
    study = comparison.study
    run = mirror.open(
        directory,
        id=study_id(study),
        name=study,
        group=study,
        job_type=JOB_TYPE,
        tags=tags(study, *mirror.tags),
        notes=_markdown(comparison.sentences),
        config={"run": {"study": study}},
    )
    place = run.sync_dir if run.offline else str(run.url)
    exit_code = 1
    try:
        with staging_in(Path(run.dir)):
            run.log(_media(comparison))
        if found := measured(directory):
            save_archive(run, found)
        run.summary.update({f"runs/{status}": n for status, n in comparison.counts.items()})
        exit_code = 0
    finally:
        run.finish(exit_code=exit_code)
    return place


def _media(comparison: Comparison) -> dict[str, Any]:
    """What is logged, as the types of wandb."""
    import wandb

    html = wandb.Html(_html(comparison.sentences), data_is_not_path=True)
    tables = {
        name: wandb.Table(
            columns=list(table.columns),
            data=[[_plain(value) for value in row] for row in table.rows],
            allow_mixed_types=True,
        )
        for name, table in comparison.tables.items()
    }
    plots = {name: wandb.Plotly(figure) for name, figure in comparison.plots.items()}
    return {"findings": html, **tables, **plots}


def _markdown(sentences: Sequence[tuple[str, str]]) -> str:
    return "\n\n".join(f"**{heading}**: {text}" if heading else text for heading, text in sentences)


def _html(sentences: Sequence[tuple[str, str]]) -> str:
    return "\n".join(
        (f"<h3>{escape(heading)}</h3>" if heading else "") + f"<p>{escape(text)}</p>"
        for heading, text in sentences
    )


def _plain(value: Any) -> Any:
    """A value of a table's cell as Python's own; None for what is not known or not finite."""
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value
