"""Whole training loops: one member, and eight, against loops that users would write."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import jax
from cell_level import row
from contestants import counted, missing
from loops import SHAPE, FlaxLoop, Loop, OursLoop, TorchLoop
from one_core import OneCore
from shapes import Case, Cell
from timing import Budget, Contestant, Measured, interleaved

MEMBERS = 8


class Entry(NamedTuple):
    """A loop in the comparison.

    Attributes:
        name, how: see `Contestant`.
        loop: the loop.
        updates: training steps, times members, of a run.
    """

    name: str
    how: str
    loop: Loop
    updates: int


def measure(cell: Cell, steps: int, budget: Budget) -> list[dict[str, Any]]:
    """The rows of a cell, in milliseconds of one training step of one member.

    Libraries train members one after another, so their time of a member is the same for one and
    for eight; and, one more opponent, in a process of its own on each core.
    """
    cores = sorted(os.sched_getaffinity(0))
    share = max(1, MEMBERS // len(cores))
    apart = [
        ("seqexp, one core", "seqexp", MEMBERS, cores[:1]),
        ("seqexp, a process a core", "seqexp", share, cores),
    ]
    for library in ("torch", "flax"):
        if not missing(library):
            apart.append((f"{library}, a process a core", library, 1, cores))
    children: list[OneCore] = []
    entries: list[Entry] = []
    try:
        for name, who, members, on in apart:
            child = OneCore(who, cell, steps, members, on)
            children.append(child)
            entries.append(Entry(name, f"{len(on)} at once", child, steps * members * len(on)))
        # While these start, we build what runs here.
        return _compared(cell, _here(cell, steps, len(cores)) + entries, len(cores), budget)
    finally:
        for child in children:
            child.close()


def _here(cell: Cell, steps: int, cores: int) -> list[Entry]:
    entries = [
        Entry("one", counted(n, "device"), OursLoop(cell, steps, 1, n), steps)
        for n in range(1, jax.local_device_count() + 1)
    ]
    eight = OursLoop(cell, steps, MEMBERS)
    entries.append(Entry("eight", counted(cores, "device"), eight, steps * MEMBERS))
    if not missing("torch"):
        for n in range(1, cores + 1):
            entries.append(Entry("torch", counted(n, "thread"), TorchLoop(cell, steps, n), steps))
    entries.append(Entry("flax", "nnx.jit", FlaxLoop(cell, steps), steps))
    return entries


def _compared(cell: Cell, entries: list[Entry], cores: int, budget: Budget) -> list[dict[str, Any]]:
    for entry in entries:
        # Always answering 0 has an error of 7/6, and always answering 1 one of 1/6.
        if not 0 < (loss := entry.loop.run()) < 2:
            raise ValueError(f"the loss of {entry.name} ({entry.how}) is {loss:.3g}")
    found = interleaved([Contestant(e.name, e.how, e.loop.run) for e in entries], budget)
    updates = {entry.name: entry.updates for entry in entries}
    best = {name: m._replace(seconds=m.seconds / updates[name]) for name, m in found.items()}
    one, eight = best.pop("one"), best.pop("eight")
    alone = [name for name in best if name in ("torch", "flax")]
    return [
        *(_row(cell, cores, 1, name, one, best[name]) for name in alone),
        *(_row(cell, cores, MEMBERS, name, eight, theirs) for name, theirs in best.items()),
    ]


def _row(
    cell: Cell, cores: int, members: int, opponent: str, ours: Measured, theirs: Measured
) -> dict[str, Any]:
    devices = int(ours.how.split()[0])
    return row("loop", Case(cell, True, SHAPE), cores, members, opponent, ours, devices, theirs)
