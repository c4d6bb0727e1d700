"""`seqexp report`: the report of one or several studies, from their records alone."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from seqexp.analysis import load, report
from seqexp.analysis.table import tabulate, to_text


def main(arguments: list[str]) -> int:
    """Make the report again."""
    if not arguments or arguments[0].startswith("-"):
        print("usage: seqexp report runs/STUDY [runs/STUDY ...]", file=sys.stderr)
        return 0 if arguments and arguments[0] in ("-h", "--help") else 2
    report_on([Path(argument) for argument in arguments])
    return 0


def report_on(studies: Sequence[Path]) -> None:
    """Write the report, print its table and where it is."""
    page = report(*studies)
    print(to_text(tabulate(load(*studies))))
    print(f"report: {page}")
