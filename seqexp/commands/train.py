"""`seqexp run` and `seqexp sweep`: Hydra composes the points, seqexp trains them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hydra.errors import HydraException

from seqexp.commands.composition import configs_of
from seqexp.commands.hydra_app import through_hydra, trained
from seqexp.commands.menu import menu_text
from seqexp.commands.overrides import read
from seqexp.types import SeqexpError

if TYPE_CHECKING:
    from seqexp.sweeps import Outcome, Point


def run(arguments: list[str]) -> int:
    """Train one point."""
    outcomes, _ = _train(arguments, "run")
    for outcome in outcomes:
        good = outcome.status in ("finished", "skipped")
        became = outcome.detail if good else f"{outcome.status} {outcome.detail}"
        print(f"{outcome.directory}: {became}")
    return int(any(outcome.status in ("failed", "elsewhere") for outcome in outcomes))


def sweep(arguments: list[str]) -> int:
    """Train every point of a multirun, and report on the study."""
    outcomes, points = _train(arguments, "sweep")
    if any(outcome.status not in ("failed", "elsewhere") for outcome in outcomes):
        from seqexp.commands.report import report_on
        from seqexp.runs.locks import Locks
        from seqexp.runs.wandb_mirror import Mirror

        study = outcomes[0].directory.parent
        with Locks(study) as locks:
            # Of two sweeps that end together, the second must not be overwritten by the first.
            locks.wait_for("report", lambda by: print(f"waiting: {by} writes the report"))
            report_on([study], Mirror.of(points[0].config["logger"]))
    return int(any(outcome.status == "failed" for outcome in outcomes))


def _train(arguments: Sequence[str], command: str) -> tuple[list[Outcome], list[Point]]:
    """Compose what is asked for and execute it; the outcomes of all points, and these."""
    if {"-h", "--help"} & set(arguments):
        print(menu_text(command), end="")
        return [], []
    asked = read(arguments, command)
    with _in_one_line():
        configs = None if asked.shows else configs_of(asked)
        if configs is None:
            return through_hydra(asked)
        if command == "run" and len(configs) > 1:
            raise SeqexpError(
                f"run trains one point, and these are {len(configs)}: use seqexp sweep"
            )
        return trained(configs)


@contextmanager
def _in_one_line() -> Iterator[None]:
    """A file or folder that cannot be read or written is a user's to mend."""
    try:
        yield
    except OSError as error:
        if isinstance(error, HydraException) or error.filename is None:
            raise
        raise SeqexpError(
            f"{error.filename}: {error.strerror}; if runs cannot be written there, choose another "
            "folder with runs_dir=..."
        ) from error
