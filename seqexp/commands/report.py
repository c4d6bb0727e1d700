"""`seqexp report`: the report of one or several studies, from their records alone."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from seqexp.analysis import load
from seqexp.analysis.report import write_report
from seqexp.analysis.table import tabulate, to_text

USAGE = """\
usage: seqexp report runs/STUDY [runs/STUDY ...]

Writes runs/STUDY/report/index.html, one page that opens offline, with its tables and figures beside
it. Of several studies the runs are compared as if they were one; the report is in the first."""


def main(arguments: list[str]) -> int:
    """Make the report again."""
    if not arguments or arguments[0].startswith("-"):
        asked = bool(arguments) and arguments[0] in ("-h", "--help")
        print(USAGE, file=sys.stdout if asked else sys.stderr)
        return 0 if asked else 2
    report_on([Path(argument) for argument in arguments])
    return 0


def report_on(studies: Sequence[Path]) -> None:
    """Write the report into the folder of the first, print its table and where it is."""
    study = load(*studies)
    models = tabulate(study)
    page = write_report(study, models, studies[0] / "report")
    print(to_text(models))
    print(f"report: {page}")
