"""One run of the study that is watched: how far it is, and what it last showed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from seqexp.errors import SeqexpError
from seqexp.runs import attempts, inspections
from seqexp.runs.growing import LastRecord
from seqexp.runs.locks import is_held
from seqexp.runs.schema import FILES, MANIFEST, METRICS, PICTURES, RUN, SAMPLES, Malformed, Run
from seqexp.runs.store import read_json
from seqexp.watch.curves import Curves

STATUSES = ("running", "waiting", "finished", "diverged", "failed", "unreadable")
"""How far a run is. Of one that is "waiting" the record is open, but no process trains it: its
group has not begun again, or it was interrupted. The record of an "unreadable" one is damaged."""

CLOSED = ("finished", "diverged")

FIGURES = f"{inspections.FOLDER}/{inspections.FIGURES}"
SHOWN = {".png": "image/png", ".gif": "image/gif"}
"""The files that a browser shows; others it keeps."""

FOLDERS = (PICTURES, FIGURES, FILES)
"""The folders of a run whose files are served."""


class WatchedRun:
    """A run's folder, read again as it changes.

    Attributes:
        row: what the table of runs says of it; None while there is no record yet.
        version: of the row, as the study counts them.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.row: dict[str, Any] | None = None
        self.version = 0
        self.curves = Curves(folder / METRICS)
        self.started: float | None = None
        self._samples = LastRecord(folder / SAMPLES)
        self._inspections = LastRecord(folder / inspections.INSPECTIONS)
        self._record = folder / RUN
        self._stamp: tuple[int, int] | None = None
        self._run: Run | None = None
        self._why = self._unread = ""

    def look(self) -> bool:
        """Look what has changed; returns whether the row has.

        A record that is closed is not read again until it is another file.
        """
        before = self.row
        stamp = _stamp(self._record)
        if before and before["status"] in CLOSED and stamp == self._stamp:
            return False
        # First the status: whatever a closed run has recorded is there.
        if stamp is None or stamp != self._stamp:
            self._read_record()
        self._stamp = stamp
        # Of a large study few curves are seen: those of a run that was closed before wait for that.
        if self._run is None or self._run.status != "finished" or self.curves.steps:
            self._read_curves()
        there = stamp is not None or self.curves.steps
        self.row = self._told(stamp) if there else None
        return self.row != before

    def look_at_curves(self) -> bool:
        """Read the curves, if they have not been; returns whether the row has changed."""
        before = self.row
        if not self.curves.steps:
            self._read_curves()
            self.row = self._told(self._stamp)
        return self.row != before

    def detail(self) -> dict[str, Any]:
        """What the run last showed: samples, pictures, warnings and figures, as far as there are.

        A file is its path within the run's folder, with its version.
        """
        samples, inspection = self._samples.read(), self._inspections.read()
        texts, legends = samples.get("texts"), samples.get("legends")
        figures = self.folder / FIGURES
        warnings = inspection.get("warnings")
        try:
            drawn = sorted(p.name for p in figures.iterdir() if p.suffix in SHOWN)
        except OSError:
            drawn = []
        return {
            "step": samples.get("step"),
            "texts": [str(t) for t in texts] if isinstance(texts, list) else [],
            "pictures": self._files(samples.get("pictures")),
            "legends": legends if isinstance(legends, dict) else {},
            "files": self._files(samples.get("files")),
            "inspected": inspection.get("step"),
            "warnings": [str(w) for w in warnings] if isinstance(warnings, list) else [],
            "figures": self._files({Path(name).stem: f"{FIGURES}/{name}" for name in drawn}),
        }

    def _read_curves(self) -> None:
        try:
            self.curves.read()
            self._unread = ""
        except OSError as error:
            self._unread = f"{METRICS} can't be read ({error.strerror})"

    def _read_record(self) -> None:
        try:
            value = read_json(self._record)
            self._run = None if value is None else Run.from_json(value)
            self._why = f"{RUN} is missing" if value is None else ""
        except Malformed as error:
            self._run, self._why = None, f"{RUN}: {error}"
        except SeqexpError:
            self._run, self._why = None, f"{RUN} is damaged or can't be read"

    def _told(self, stamp: tuple[int, int] | None) -> dict[str, Any]:
        run, curves = self._run, self.curves
        written = max(curves.written, 0 if stamp is None else stamp[1] / 1e9)
        step = curves.steps[-1] if curves.steps else 0
        row: dict[str, Any] = {"run": self.folder.name, "written": written, "step": step}
        row["metrics"] = sorted(curves.metrics | ({*run.valid} if run else set()))
        if run is None:
            of = {"name": self.folder.name, "model": "", "task": "", "group": "", "steps": None}
            return row | of | {"status": "unreadable", "why": self._why, "score": None}
        if self.started is None:
            self.started = _started(self.folder)
        steps = _trainer(run.config).get("steps")
        row |= {"name": run.name or run.id, "model": run.model, "task": run.task}
        row |= {"group": run.group, "steps": steps if isinstance(steps, int) else None}
        row["status"], why = self._status(run)
        row["why"] = self._unread or why
        row["score"] = None
        if run.score is not None:
            best = curves.best(run.score.name, run.score.goal)
            value, at = best or (run.score.valid, run.score.step)
            row["score"] = {"name": run.score.name, "goal": run.score.goal}
            row["score"] |= {"value": value, "step": at}
        if run.status == "diverged" and run.diverged_step is not None:
            row["step"] = max(step, run.diverged_step)
        if run.status == "finished":
            row["step"] = row["steps"] or step
        return row

    def _status(self, run: Run) -> tuple[str, str]:
        """The status, and what there is to say on it."""
        if run.status == "failed":
            return "failed", run.error or ""
        if run.status == "diverged":
            return "diverged", f"at step {run.diverged_step:,}" if run.diverged_step else ""
        if run.status == "finished":
            return "finished", ""
        if not is_held(self.folder.parent, run.id):
            return "waiting", "no process trains it"
        attempt = attempts.read(self.folder)
        during = "" if attempt is None or attempt.during == "training" else attempt.during
        return "running", during

    def _files(self, named: Any) -> list[dict[str, str]]:
        """Files by name, those that are there."""
        found = []
        for name, path in named.items() if isinstance(named, Mapping) else ():
            stamp = _stamp(self.folder / str(path))
            if stamp is not None:
                found.append({"name": str(name), "path": str(path), "version": str(stamp[1])})
        return found


def _stamp(path: Path) -> tuple[int, int] | None:
    """Tells whether a file was written since: inode, and nanoseconds since 1970."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found.st_ino, found.st_mtime_ns


def _started(folder: Path) -> float | None:
    """When a run began, in seconds since 1970."""
    try:
        return datetime.fromisoformat(
            (read_json(folder / MANIFEST) or {})["started_at"]
        ).timestamp()
    except (SeqexpError, KeyError, TypeError, ValueError):
        return None


def _trainer(config: Mapping[str, Any]) -> Mapping[str, Any]:
    trainer = config.get("trainer")
    return trainer if isinstance(trainer, Mapping) else {}
