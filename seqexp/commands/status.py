"""`seqexp status`: what of a sweep is done, what trains where, what waits, what failed and why."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from seqexp.commands.options import parse
from seqexp.commands.study_folder import study_folder
from seqexp.runs.status import STATUSES, RunStatus, StudyStatus, look
from seqexp.runs.store import dumps

USAGE = """\
usage: seqexp status STUDY [--all] [--json]

  seqexp status runs/frontier
  seqexp status runs/frontier --all
  seqexp status runs/frontier --json

Tells at any time how far a study is, from its records alone: how many runs are finished, diverged,
running, waiting and failed; which process trains each running one, since when, how far it is and
how long it will take; why others failed; which wait: no process trains them yet, or no more.

--all lists what is finished and diverged, and everything that waits. --json prints one JSON
document with everything, for programs.
"""

SHOWN = 20
"""So many waiting runs are listed, unless all are asked for."""

UNKNOWN = "–"


def main(arguments: list[str]) -> int:
    """Print how far a study is."""
    if not arguments or {"-h", "--help"} & set(arguments):
        print(USAGE, end="", file=sys.stdout if arguments else sys.stderr)
        return 0 if arguments else 2
    folder, everything, as_json = _parse(arguments)
    found = look(folder)
    print(to_json(found) if as_json else to_text(found, everything), flush=True)
    if not as_json:
        for problem in found.problems:
            print(_line(problem), file=sys.stderr)
    return 0


def _parse(arguments: Sequence[str]) -> tuple[Path, bool, bool]:
    """The study's folder, whether all runs are listed, and whether JSON is asked for."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--json", action="store_true")
    found, names = parse(parser, arguments, "status")
    return study_folder(names, "status"), found.all, found.json


def to_json(found: StudyStatus) -> str:
    """Everything, as one JSON document: `{"study", "folder", "now", "counts", "problems", "runs"}`,
    of each run what `RunStatus` has."""
    document = {
        "study": found.folder.resolve().name,
        "folder": str(found.folder),
        "now": found.now.isoformat(timespec="seconds"),
        "counts": found.counts,
        "problems": found.problems,
        "runs": [asdict(run) for run in found.runs],
    }
    return dumps(document, indent=1)


def to_text(found: StudyStatus, everything: bool = False) -> str:
    """The counts, the running, the failed and the waiting runs, for people.

    Args:
        found: how far the study is.
        everything: list all that waits, and what is finished and diverged.
    """
    counts = found.counts
    told = [f"{n} {status}" for status, n in counts.items() if n or status != "unreadable"]
    total = "1 run" if len(found.runs) == 1 else f"{len(found.runs)} runs"
    parts = [f"{found.folder.resolve().name}: {total}: {', '.join(told)}"]
    runs = {status: [r for r in found.runs if r.status == status] for status in STATUSES}
    if running := runs["running"]:
        headings = ["running", "step", "left", "since", "process"]
        parts += _table([headings, *(_running(run, found.now) for run in running)])
    failed = [*runs["failed"], *runs["unreadable"]]
    if failed:
        parts += _table([["failed", "reason"], *([run.name, _reason(run)] for run in failed)])
    if waiting := runs["waiting"]:
        shown = waiting if everything else waiting[:SHOWN]
        parts += _table([["waiting", ""], *([run.name, run.why] for run in shown)])
        if more := len(waiting) - len(shown):
            parts.append(f"and {more} more")
    for status in ("diverged", "finished"):
        if everything and runs[status]:
            rows = [[run.name, run.why or run.run] for run in runs[status]]
            parts += _table([[status, ""], *rows])
    return "\n".join(parts)


def _running(run: RunStatus, now: datetime) -> list[str]:
    step = f"{run.step or 0:,}"
    step += "" if run.steps is None else f" of {run.steps:,}"
    doing = f", {run.during}" if run.during not in (None, "training") else ""
    process = f"{'process' if run.pid is None else run.pid} on {run.host}{doing}"
    left = UNKNOWN if run.seconds_left is None else _duration(run.seconds_left)
    return [run.name, step, left, _since(run.since, now), process]


def _reason(run: RunStatus) -> str:
    return f"its record can't be read: {run.why}" if run.status == "unreadable" else run.why


def _since(began: str | None, now: datetime) -> str:
    """When, in the time of this machine, and the day if it was another one."""
    try:
        then = datetime.fromisoformat(began or "").astimezone()
    except (TypeError, ValueError):
        return UNKNOWN
    return f"{then:%H:%M}" if then.date() == now.astimezone().date() else f"{then:%Y-%m-%d %H:%M}"


def _duration(seconds: float) -> str:
    """Two units at most: 40 s, 12 min, 3 h 05 min, 2 d 4 h."""
    minutes = round(seconds / 60)
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes:02} min"
    return f"{hours // 24} d {hours % 24} h"


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    """An empty line, then columns two spaces apart; the first row is the headings."""
    lines = [[_line(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in lines) for column in range(len(lines[0]))]
    padded = ["  ".join(f"{c:{w}}" for c, w in zip(row, widths, strict=True)) for row in lines]
    return ["", *(line.rstrip() for line in padded)]


def _line(text: str) -> str:
    """A text of a record in one line, without what a terminal would obey."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
