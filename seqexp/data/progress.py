"""How far a download is: a bar on a terminal, a line elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn


@contextmanager
def downloading(what: str, size: int | None) -> Iterator[Callable[[int], None]]:
    """Shows on stderr what is downloaded; yields a function that takes the bytes that came.

    Args:
        what: in a few words.
        size: bytes in all; None where nobody knows.
    """
    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        console.print(f"downloading {what}", markup=False, soft_wrap=True)
        yield lambda count: None
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(bar_width=20))
    with Progress(*columns, DownloadColumn(), TransferSpeedColumn(), console=console) as bar:
        task = bar.add_task(what, total=size)
        yield lambda count: bar.advance(task, count)
