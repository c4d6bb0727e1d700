"""Who writes what: locks in a folder that processes on several machines may share.

A lock that is held is a folder with one file in it, named by a token that no other has. All that
may happen to it is one atomic operation of the file system, on local disks as on network ones:

    take       rename a folder, its file inside, to the lock's name; fails where that is not empty
    release    remove one's own file by its token, then the empty folder
    take over  remove the dead holder's file by its token, then take

Of two that take over one lock, one wins: nobody can remove a file whose token he has not read.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import socket
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from seqexp.errors import SeqexpError
from seqexp.runs import endings

LOCKS = ".locks"
"""The folder of a study's locks, beside its runs: a run's own folder may be replaced."""

BEAT = 10.0
"""Seconds between the signs of life of a holder: it touches its files."""

SILENT = 120.0
"""Seconds without one after which a holder elsewhere counts as dead."""

SILENT_AFTER_BOOT = 30.0
"""The same where this machine has been started anew since, or another bears its name."""

FORGOTTEN = 86400.0
"""Seconds after which what a killed process left on its way to a lock is removed."""

STUCK = 60.0
"""Seconds after which a lock that nobody holds won't become empty by itself."""

POLL = 0.5
"""Seconds between two tries to take what one waits for."""


_ON_THE_WAY = re.compile(r"\.[0-9a-f]{32}(\.clock)?")


class Holder(NamedTuple):
    """A process that holds a lock.

    Attributes:
        host: the machine's name.
        boot: this start of its kernel, with the namespace of its process ids; None where unknown.
        pid: the process.
        started: when it started, for the id may be another's by now; None where unknown.
    """

    host: str
    boot: str | None
    pid: int
    started: str | None

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"

    @classmethod
    def this(cls) -> Holder:
        """This process."""
        return cls(socket.gethostname(), _boot(), os.getpid(), _started(os.getpid()))

    def is_gone(self, silent: float) -> bool:
        """Whether the holder is dead, after so many seconds without a sign of life."""
        here = Holder.this()
        if (self.host, self.boot) == (here.host, here.boot):
            # Where starts of the kernel cannot be told apart, the id may be another's by now.
            return not _runs(self) or (self.boot is None and silent > SILENT)
        return silent > (SILENT_AFTER_BOOT if self.host == here.host else SILENT)


class Locks:
    """The locks of this process in a study; use as a context, which releases them.

    Args:
        study: the study's folder, which the context makes where it is missing.

    Attributes:
        dead: by the name of the lock, the last holder that was found dead, and lost it.
    """

    def __init__(self, study: Path) -> None:
        self._folder = study / LOCKS
        # Clocks of machines differ: ages are told by that of the file system.
        self._clock = self._folder / f".{uuid.uuid4().hex}.clock"
        self._held: dict[str, Path] = {}
        self.dead: dict[str, Holder] = {}
        self._ended = threading.Event()
        self._heart: threading.Thread | None = None

    def __enter__(self) -> Locks:
        """Raises SeqexpError where the study's folder cannot be written."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._clock.touch()
        except OSError as error:
            raise SeqexpError(
                f"cannot write to {self._folder.parent} ({error.strerror}); choose another folder "
                "with runs_dir=..."
            ) from error
        self._remove_forgotten()
        endings.add(self._release_all)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._release_all()
        endings.remove(self._release_all)

    def _remove_forgotten(self) -> None:
        """Clocks and arriving folders of processes that were killed; a live clock is made anew."""
        with suppress(OSError):
            now = self._clock.stat().st_mtime
            for path in self._folder.iterdir():
                if not _ON_THE_WAY.fullmatch(path.name) or now - path.stat().st_mtime < FORGOTTEN:
                    continue
                if path.suffix:
                    path.unlink(missing_ok=True)
                else:
                    shutil.rmtree(path, ignore_errors=True)

    def _release_all(self) -> None:
        for name in list(self._held):
            self.release(name)
        with suppress(OSError):
            self._clock.unlink()

    def take(self, name: str) -> Holder | None:
        """Take a lock; None if it is taken, else who holds it."""
        lock, token = self._folder / name, uuid.uuid4().hex
        arriving = self._folder / f".{token}"
        since = time.monotonic()
        try:
            arriving.mkdir()
            (arriving / token).write_text(json.dumps(Holder.this()._asdict()))
            # From now on it is released, even if what interrupts comes right behind the renaming.
            self._held[name] = lock / token
            while not _renamed(arriving, lock, token):
                if (holder := self.holder(name)) is not None:
                    del self._held[name]
                    return holder
                # What was removed may be there for a moment more, on a network file system.
                if time.monotonic() - since > STUCK:
                    del self._held[name]
                    raise SeqexpError(f"nobody holds {lock}, but it is not empty: remove it")
                time.sleep(POLL / 50)
        finally:
            shutil.rmtree(arriving, ignore_errors=True)
        if self._heart is None:
            self._heart = threading.Thread(target=self._beat, daemon=True, name="seqexp-locks")
            self._heart.start()
        return None

    def holder(self, name: str) -> Holder | None:
        """Who holds a lock; None where nobody does, or nobody who lives: his file is removed."""
        try:
            for path in (self._folder / name).iterdir():
                if path.name.startswith("."):
                    continue  # Removed, and kept by a network file system while somebody reads it.
                # Opened, for a network file system may remember the times of a closed file.
                with open(path) as file:
                    holder, touched = _parsed(file.read()), os.fstat(file.fileno()).st_mtime
                self._clock.touch()
                if not holder.is_gone(self._clock.stat().st_mtime - touched):
                    return holder
                self.dead[name] = holder
                path.unlink(missing_ok=True)
        except IsADirectoryError as error:
            raise SeqexpError(
                f"{error.filename} is a folder, and no lock of ours: remove it"
            ) from error
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ESTALE):
                raise
            # Released meanwhile.
        return None

    def wait_for(self, name: str, say: Callable[[Holder], None]) -> None:
        """Take a lock as soon as it is free; `say` is told once who holds it."""
        told = False
        while (holder := self.take(name)) is not None:
            if not told:
                say(holder)
                told = True
            time.sleep(POLL)

    def release(self, name: str) -> None:
        """Give a lock back; nothing happens where it is not held."""
        own = self._held.pop(name, None)
        if own is not None:
            with suppress(OSError):
                own.unlink()
                own.parent.rmdir()

    def holds(self, name: str) -> bool:
        """Whether a lock is still held: a process that slept may have been taken for dead."""
        own = self._held.get(name)
        if own is None:
            return False
        try:
            os.utime(own)
        except FileNotFoundError:
            return False
        except OSError:
            pass  # The disk may come back.
        return True

    def _beat(self) -> None:
        while not self._ended.wait(BEAT):
            for name in list(self._held):
                self.holds(name)


def is_held(study: Path, name: str) -> bool:
    """Whether somebody who lives holds a lock of a study, as far as reading alone can tell."""
    return holder_of(study, name) is not None


def holder_of(study: Path, name: str) -> Holder | None:
    """Who holds a lock of a study, as far as reading alone can tell; None for nobody who lives.

    Ages are told by this machine's clock, and nothing of a dead holder is removed.
    """
    try:
        for path in (study / LOCKS / name).iterdir():
            if not path.name.startswith("."):
                with open(path) as file:
                    holder, touched = _parsed(file.read()), os.fstat(file.fileno()).st_mtime
                if not holder.is_gone(time.time() - touched):
                    return holder
    except OSError:
        pass  # Not held, released meanwhile, or not to be read.
    return None


def _renamed(arriving: Path, lock: Path, token: str) -> bool:
    """Whether a folder could be renamed to a lock, which fails where that is held."""
    try:
        arriving.rename(lock)
    except OSError as error:
        # Over a network a rename may succeed and report a failure.
        if (lock / token).exists():
            return True
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        return False
    return True


def _parsed(text: str) -> Holder:
    try:
        return Holder(**json.loads(text))
    except (TypeError, ValueError):
        # A machine that lost its power may leave an empty file: only its age tells of it.
        return Holder("another machine", None, 0, None)


def _boot() -> str | None:
    """Two containers on one kernel, each with process ids of its own, are two machines."""
    try:
        kernel = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{kernel} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return None


def _started(pid: int) -> str | None:
    """When a process started, in ticks since the kernel did; None where that cannot be read."""
    fields = _stat(pid)
    return fields[19] if fields else None


def _runs(holder: Holder) -> bool:
    try:
        os.kill(holder.pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # Another user's.
    fields = _stat(holder.pid)
    if not fields:
        return True
    return fields[0] not in "ZX" and holder.started in (None, fields[19])


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat behind the name, which may hold anything: state, parent, ..."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
