"""A study that several processes train at the same time: each run is trained by one of them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from seqexp.runs.locks import POLL, SILENT, Holder, Locks
from seqexp.runs.record import RUN
from seqexp.runs.store import read_json
from seqexp.sweeps.groups import Planned
from seqexp.sweeps.outcome import Outcome, outcome_of
from seqexp.sweeps.progress import SweepProgress
from seqexp.types import SeqexpError

Stamp = tuple[int, int] | None
"""Of a record that was written: each time it is another file; None where there is none."""


PATIENCE = 1.5 * SILENT
"""Seconds that a job waits for what another process trains: one that died counts as dead before."""


class Share(NamedTuple):
    """The members that this process trains, and the outcomes of the others.

    Attributes:
        mine: to be trained by this process, which holds their locks.
        closed: what became of those that another process has trained since they were planned.
        elsewhere: those that another process trains now, and which.
    """

    mine: list[Planned]
    closed: dict[str, Outcome]
    elsewhere: list[tuple[Planned, Holder]]


class Sharing:
    """Tells which members of a sweep this process trains.

    Args:
        seen: by run id, for all members that are to be trained, what `stamp` gave before it was
            looked whether they are finished.
        locks: of the study, each named by the id of a run.
    """

    def __init__(self, seen: Mapping[str, Stamp], locks: Locks) -> None:
        self._locks = locks
        self._seen = seen

    def announce(self, progress: SweepProgress) -> None:
        """Print one line about what other processes train at the start."""
        found = [holder for id in self._seen if (holder := self._locks.holder(id)) is not None]
        if found:
            whose = ", ".join(f"{n} by {holder}" for holder, n in Counter(found).items())
            progress.say(f"left to other processes, which train them now: {whose}")

    def wait_for(self, members: Sequence[Planned]) -> None:
        """Wait until no other process that lives has any of these, at most `PATIENCE` seconds."""
        since = time.monotonic()
        while time.monotonic() - since < PATIENCE and any(
            self._locks.holder(member.info.id) for member in members
        ):
            time.sleep(POLL)

    @contextmanager
    def taken(self, members: Sequence[Planned]) -> Iterator[Share]:
        """Within, the locks are held of all members that no other process trains."""
        share = Share([], {}, [])
        try:
            for member in members:
                id = member.info.id
                if (holder := self._locks.take(id)) is not None:
                    share.elsewhere.append((member, holder))
                # Only now: another process may have closed it while this one was on its way.
                elif stamp(member) != self._seen[id] and (done := closed(member)):
                    share.closed[id] = done
                else:
                    share.mine.append(member)
            yield share
        finally:
            for member in members:
                self._locks.release(member.info.id)


def elsewhere(member: Planned, holder: Holder) -> Outcome:
    """The outcome of a member that another process trains."""
    return Outcome(member.info.name, member.directory, "elsewhere", f"trained by {holder}", None)


def closed(member: Planned) -> Outcome | None:
    """The outcome of a record that is closed; None if it is not."""
    try:
        run = read_json(member.directory / RUN) or {}
    except SeqexpError:
        return None  # Damaged: it is trained anew.
    if run.get("status") == "failed":
        return Outcome(member.info.name, member.directory, "failed", str(run["error"]), None)
    return outcome_of(member) if run.get("status") in ("finished", "diverged") else None


def stamp(member: Planned) -> Stamp:
    """Tells whether a record was written since: each time it is another file."""
    try:
        found = (member.directory / RUN).stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns
