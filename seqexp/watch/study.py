"""The study that is watched: its runs as they come, train and go."""

from __future__ import annotations

import os
import threading
import time
import uuid
from pathlib import Path
from typing import Any

from seqexp.watch.curves import Piece
from seqexp.watch.places import is_inside
from seqexp.watch.run import WatchedRun

LOOK = 0.5
"""Seconds between two looks at the folder, however many pages ask."""


class WatchedStudy:
    """A study's folder, read anew when it is asked for. Threads may share it.

    Each change of a run has a version; whoever names the last that he knows is told what came
    after it. `token` tells versions of one process from those of another.

    Args:
        folder: of the study; it may be missing, and come later.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.token = uuid.uuid4().hex
        self._runs: dict[str, WatchedRun] = {}
        self._gone: dict[str, int] = {}
        self._version = 0
        self._looked = float("-inf")
        self._problem = ""
        self._lock = threading.Lock()

    def changes(self, token: str, since: int) -> dict[str, Any]:
        """The rows of the runs that changed after a version, and the runs that are gone since.

        Args:
            token: of the process that gave the version; for another one all runs are told.
            since: the version.
        """
        with self._lock:
            self._look()
            since = since if token == self.token else 0
            rows = [run.row for run in self._runs.values() if run.row and run.version > since]
            began = [run.started for run in self._runs.values() if run.started is not None]
            return {
                "token": self.token,
                "version": self._version,
                "study": self.folder.name,
                "folder": str(self.folder),
                "problem": self._problem,
                "now": time.time(),
                "began": min(began, default=None),
                "runs": rows,
                "gone": [name for name, version in self._gone.items() if version > since],
            }

    def curves(self, metric: str, known: dict[str, tuple[int, int]]) -> dict[str, Piece]:
        """What is new in the curves of some runs, see `Curves.piece`.

        Args:
            metric: its name.
            known: by run, the generation and how many of its points are known.
        """
        with self._lock:
            self._look()
            there = {name: self._runs[name] for name in known if name in self._runs}
            for run in there.values():
                if run.look_at_curves():
                    self._version += 1
                    run.version = self._version
            return {name: run.curves.piece(metric, *known[name]) for name, run in there.items()}

    def detail(self, name: str) -> dict[str, Any] | None:
        """What a run last showed, see `WatchedRun.detail`; None where there is no such run."""
        with self._lock:
            self._look()
            return self._runs[name].detail() if name in self._runs else None

    def run_folder(self, name: str) -> Path | None:
        """The folder of a run; None where there is no such run."""
        with self._lock:
            return self._runs[name].folder if name in self._runs else None

    def _look(self) -> None:
        if time.monotonic() - self._looked < LOOK:
            return
        names = self._names()
        version = self._version + 1
        for name in self._runs.keys() - names:
            self._drop(name, version)
        for name in sorted(names):
            run = self._runs.get(name) or WatchedRun(self.folder / name)
            if not run.look():
                continue
            if run.row is None:
                self._drop(name, version)
                continue
            self._runs[name], run.version, self._version = run, version, version
            self._gone.pop(name, None)
        self._looked = time.monotonic()

    def _drop(self, name: str, version: int) -> None:
        self._runs.pop(name, None)
        self._gone[name] = self._version = version

    def _names(self) -> set[str]:
        """The folders in the study, but for links that lead outside."""
        self._problem = ""
        try:
            with os.scandir(self.folder) as entries:
                found = [e for e in entries if not e.name.startswith(".") and e.is_dir()]
        except FileNotFoundError:
            self._problem = f"{self.folder} is not there yet: this page waits for it"
            return set()
        except OSError as error:
            self._problem = f"{self.folder} can't be read ({error.strerror})"
            return set()
        links = {e.name for e in found if e.is_symlink()}
        outside = {name for name in links if not is_inside(self.folder / name, self.folder)}
        if outside:
            named = ", ".join(sorted(outside))
            self._problem = f"left out, for they are links out of the study: {named}"
        return {e.name for e in found} - outside
