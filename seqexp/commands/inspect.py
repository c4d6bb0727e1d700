"""`seqexp inspect`: look into the models that runs have left, finished or not."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from seqexp.commands.options import parse
from seqexp.inspection.figures import animate, draw, write_page
from seqexp.inspection.settings import Settings
from seqexp.runs.inspections import arrays_path
from seqexp.runs.schema import RUN
from seqexp.sweeps.arguments import fit_node, signature_of
from seqexp.sweeps.inspect_run import RunInspector
from seqexp.types import SeqexpError, reason

USAGE = """\
usage: seqexp inspect RUN|STUDY [...] [level=light|full] [examples=N] [--html] [--animate]

  seqexp inspect runs/frontier/0123456789abcdef
  seqexp inspect runs/frontier level=light examples=16 --html

Looks at the first N validation examples (8) with the weights that were best on validation, or those
of the latest checkpoint of a run that is not finished; one that is being trained is refused. light:
states, gates, norms, outputs; full, the default: how far gradients and memory reach as well. Writes
RUN/inspection/STEP.npz and a line of RUN/inspection.jsonl, in the place of an inspection of the
same step, and draws the latest one: RUN/inspection/figures. Of a study all runs are inspected; one
that can't be is named with the reason, and the exit code is 1.

--html writes RUN/inspection/index.html as well, a page that opens offline with the figures of each
inspection, and the texts and pictures that the run showed;
--animate RUN/inspection/animation.gif, states and gradients over training.

inspect=light and inspect=full do the same while `seqexp run` and `seqexp sweep` train.
"""

OPTIONS = ("level", "examples")

Drawer = Callable[[Path], Path]


def main(arguments: list[str]) -> int:
    """Inspect runs, and say what was found."""
    if not arguments or {"-h", "--help"} & set(arguments):
        print(USAGE, end="", file=sys.stdout if arguments else sys.stderr)
        return 0 if arguments else 2
    folders, settings, drawers = _parse(arguments)
    runs = [run for folder in folders for run in _runs(folder)]
    inspector, failed = RunInspector(settings), 0
    for run in runs:
        try:
            record = inspector.inspect(run).record
            _say(run, record)
            draw(run)
            for drawer in drawers:
                print(f"  {drawer(run)}", flush=True)
        except (SeqexpError, OSError) as error:
            if len(runs) == 1:
                raise SeqexpError(reason(error)) from error
            print(f"{run}: not inspected: {reason(error)}", file=sys.stderr)
            failed += 1
    return int(failed > 0)


def _say(run: Path, record: Mapping[str, Any]) -> None:
    took = f"{record['seconds']:.1f} s"
    if record["compile_seconds"]:
        took += f", and {record['compile_seconds']:.1f} s to compile"
    print(f"{arrays_path(run, record['step'])}: {record['level']}, {took}", flush=True)
    for warning in record["warnings"]:
        print(f"  {warning}")


def _parse(arguments: Sequence[str]) -> tuple[list[Path], Settings, list[Drawer]]:
    """The folders that are named, what is asked for, and what is drawn of it beside the figures."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--html", action="store_true")
    parser.add_argument("--animate", action="store_true")
    options, words = parse(parser, arguments, "inspect")
    chosen = (options.html, write_page), (options.animate, animate)
    asked: dict[str, Any] = {"level": "full"}
    folders = []
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or "/" in name:
            folders.append(Path(word))
            continue
        if name not in OPTIONS:
            raise SeqexpError(f"no option {name}=: there are {', '.join(OPTIONS)}")
        asked[name] = int(value) if value.isdigit() else value
    if not folders:
        raise SeqexpError("no run given: seqexp inspect --help shows how to call it")
    signature = signature_of(Settings)
    assert signature is not None
    settings = Settings(**fit_node(asked, signature, "inspect", []))
    if settings.level == "off":
        raise SeqexpError("level=off inspects nothing: choose light or full")
    return folders, settings, [drawer for asked_for, drawer in chosen if asked_for]


def _runs(folder: Path) -> list[Path]:
    """The folder of a run itself, or those of a study's runs."""
    if (folder / RUN).exists():
        return [folder]
    found = sorted(path.parent for path in folder.glob(f"*/{RUN}"))
    if not found:
        raise SeqexpError(
            f"no run in {folder}: give the folder of a run, runs/STUDY/ID, or of a study"
        )
    return found
