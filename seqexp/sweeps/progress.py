"""One progress display for a whole sweep: live on a terminal, a line at a time elsewhere."""

from __future__ import annotations

from collections import Counter
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

COLUMNS = "run", "id", "", "score or reason"

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
    plain = console.width == UNCUT and not console.is_jupyter
    if plain and (text := _aligned(outcomes)) is not None:
        console.out(text, highlight=False)
    else:
        console.print(_table(outcomes))
    counts = Counter(outcome.status for outcome in outcomes)
    told = ", ".join(f"{counts[status]} {status}" for status in COLOURS if counts[status])
    console.print(told)


def _table(outcomes: Sequence[Outcome]) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in COLUMNS:
        table.add_column(column, overflow="fold", no_wrap=column in ("id", ""))
    for outcome in outcomes:
        status = Text(outcome.status, COLOURS[outcome.status])
        table.add_row(Text(outcome.name), outcome.directory.name, status, Text(outcome.detail))
    return table


def _aligned(outcomes: Sequence[Outcome]) -> str | None:
    """The lines of that table where nothing is coloured or folded, which takes rich a millisecond
    each; None where a text would not stand there as it is."""
    rows = [(o.name, o.directory.name, o.status, o.detail) for o in outcomes]
    texts = [text for row in rows for text in row]
    if not all(text.isascii() and text.isprintable() for text in texts):
        return None
    if any(character in row[1] for row in rows for character in "[:"):
        return None  # Markup, and names of emoji.
    widths = [max(map(len, column)) for column in zip(COLUMNS, *rows, strict=True)]
    lines = [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True))
        for row in (COLUMNS, *rows)
    ]
    return "\n".join(lines)
