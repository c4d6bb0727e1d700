"""`seqexp report`: the report of one or several studies, from their records alone."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from seqexp.analysis import load
from seqexp.analysis.findings import findings
from seqexp.analysis.machines import apart
from seqexp.analysis.report import write_report
from seqexp.analysis.table import tabulate, to_text
from seqexp.commands.configs import config_folder
from seqexp.commands.options import parse
from seqexp.commands.output import terminal_width
from seqexp.runs.record import RUN
from seqexp.runs.store import read_json
from seqexp.runs.wandb_mirror import Mirror
from seqexp.types import SeqexpError

USAGE = """\
usage: seqexp report STUDY [STUDY ...] [--to FOLDER] [--wandb[=online|offline]]

  seqexp report runs/frontier
  seqexp report /shared/runs/frontier --to frontier-report
  seqexp report runs/frontier --wandb=online
  seqexp report wandb:ENTITY/PROJECT/frontier

Writes runs/STUDY/report/index.html, one page that opens offline, with its tables and figures beside
it, or all of that into FOLDER. Of several studies the runs are compared as if they were one; the
report is in the first.

A study is a folder, or one that was mirrored to wandb: the records that it carries are first
fetched into runs/STUDY; what is there already is never replaced.

--wandb logs the comparison to the wandb project of its runs as well, as a run of the study's name
that replaces the one before; as its runs were (offline, unless the mode is given).
"""

FETCHED = "wandb:"
FETCH_TO = Path("runs")


def main(arguments: list[str]) -> int:
    """Make the report again."""
    if not arguments or {"-h", "--help"} & set(arguments):
        print(USAGE, end="", file=sys.stdout if arguments else sys.stderr)
        return 0 if arguments else 2
    names, mode, to = _parse(arguments)
    folders = [_folder(name) for name in names]
    mirror = None if mode is None else _mirror(folders[0], mode)
    return 0 if report_on(folders, mirror, to) else 1


def report_on(
    studies: Sequence[Path], mirror: Mirror | None = None, to: Path | None = None
) -> bool:
    """Write the report into the folder of the first, print its table and where it is.

    Args:
        studies: their folders.
        mirror: where to log the comparison as well, if anywhere.
        to: where to write the report instead.

    Returns:
        Whether it is logged, if it was to be.
    """
    study = load(*studies)
    found = findings(study, tabulate(study))
    # First what no full disk can take away.
    told = to_text(found.table, terminal_width(), study.baselines, apart(study))
    print(told, flush=True)
    if study.unrecorded:
        first, count = study.unrecorded[0], len(study.unrecorded)
        more = f", and {count - 1} more" if count > 1 else ""
        print(f"planned, without a record: {first.name} ({first.why}){more}", file=sys.stderr)
    if study.problems:
        first, count = study.problems[0], len(study.problems)
        more = f", and {count - 1} more" if count > 1 else ""
        print(
            f"problems with the records: {first.where}: {first.what}{more}; "
            'the page has them under "Left out"',
            file=sys.stderr,
        )
    page = write_report(found, to or studies[0] / "report")
    print(f"report: {page}", flush=True)
    if mirror is None or mirror.mode == "disabled":
        return True
    from seqexp.commands.wandb_report import log_report

    return log_report(found, studies[0], mirror)


def _parse(arguments: Sequence[str]) -> tuple[list[str], str | None, Path | None]:
    """The studies, the mode of wandb ("" for that of the runs, None for no wandb), and where to."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--wandb", nargs="?", const="")
    parser.add_argument("--to", type=Path)
    # It stands for itself: the study that comes after is no mode.
    words = ["--wandb=" if word == "--wandb" else word for word in arguments]
    found, names = parse(parser, words, "report")
    if not names:
        raise SeqexpError("no study given: seqexp report --help shows how to call it")
    if found.to is not None:
        _check_free(found.to)
    return names, found.wandb, found.to


def _check_free(folder: Path) -> None:
    """Raises SeqexpError where a folder holds something else than a report."""
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "results.json").exists():
        raise SeqexpError(f"--to={folder} holds other files than a report; name a new folder")


def _folder(name: str) -> Path:
    """The folder of a study, fetched where it is in wandb."""
    if not name.startswith(FETCHED):
        return Path(name)
    from seqexp.runs.wandb_fetch import fetch

    fetched = fetch(name.removeprefix(FETCHED), FETCH_TO)
    for problem in fetched.problems:
        print(f"not fetched: {problem}", file=sys.stderr)
    print(f"{fetched.folder}: {fetched.new} runs fetched, {fetched.known} were there")
    return fetched.folder


def _mirror(folder: Path, mode: str) -> Mirror:
    """Where the runs of a study were mirrored to; offline where they were not."""
    settings: dict[str, Any] = dict(OmegaConf.load(config_folder() / "logger" / "wandb.yaml"))
    for path in sorted(folder.glob(f"*/{RUN}")):
        with contextlib.suppress(SeqexpError):
            logger = ((read_json(path) or {}).get("config") or {}).get("logger")
            if isinstance(logger, dict) and logger.keys() == settings.keys():
                settings = logger
                break
    mode = mode or ("offline" if settings["mode"] == "disabled" else settings["mode"])
    return Mirror(**{**settings, "mode": mode})
