"""One progress display for a whole sweep: live on a terminal, a line at a time elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from seqexp.sweeps.outcome import Outcome

COLOURS = {
    "finished": "green",
    "skipped": "dim",
    "diverged": "yellow",
    "failed": "red",
    "elsewhere": "cyan",
}


UNCUT = 100_000
"""Columns of what is no terminal: nothing in it is cut, or goes on in another line."""


def console() -> Console:
    """Where a sweep tells how it goes: stderr, as wide as the terminal."""
    made = Console(stderr=True, highlight=False)
    if not made.is_terminal:
        made.width = UNCUT
    return made


class SweepProgress:
    """Shows how far a sweep is. Use as a context; the display ends with it.

    Args:
        total_steps: training steps of all members that are to train.
    """

    def __init__(self, total_steps: int):
        self.console = console()
        self._live = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("steps"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(elapsed_when_finished=True),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self._bar = self._live.add_task("sweep", total=total_steps)

    def __enter__(self) -> SweepProgress:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._live.stop()

    def say(self, line: str) -> None:
        """A line that stays."""
        self._live.console.print(line, markup=False, soft_wrap=True)

    def working_on(self, what: str) -> None:
        """What the sweep is doing now."""
        self._live.update(self._bar, description=what)

    def advance(self, steps: int) -> None:
        """Count finished training steps, summed over all members."""
        self._live.advance(self._bar, steps)


def print_outcomes(outcomes: Sequence[Outcome], console: Console) -> None:
    """The closing table: what became of each run, and why."""
    table = Table(box=None, pad_edge=False)
    for column in ("run", "id", "", "score or reason"):
        table.add_column(column, overflow="fold", no_wrap=column in ("id", ""))
    for outcome in outcomes:
        status = Text(outcome.status, COLOURS[outcome.status])
        table.add_row(Text(outcome.name), outcome.directory.name, status, Text(outcome.detail))
    console.print(table)
    counts = {status: sum(o.status == status for o in outcomes) for status in COLOURS}
    console.print(", ".join(f"{n} {status}" for status, n in counts.items() if n))
