"""The wandb mirror of a run: a view for people, never the record."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from seqexp.runs import wandb_session
from seqexp.runs.inspections import read_arrays
from seqexp.runs.redaction import redact
from seqexp.runs.schema import Run
from seqexp.runs.wandb_files import carried
from seqexp.runs.wandb_inspections import KINDS, START, inspection_values
from seqexp.runs.wandb_session import (
    TAG_LENGTH,
    Mode,
    open_run,
    save_archive,
    staging_in,
)
from seqexp.runs.wandb_thread import Unresponsive, in_time
from seqexp.types import SeqexpError, first_line

if TYPE_CHECKING:
    import wandb

AXES = ("step", "examples", "tokens", "flops", "seconds")
"""What curves can be drawn over, the one first that they are drawn over unless told otherwise."""

NOT_IN_PROJECT = frozenset("/\\#?%:")
"""What wandb refuses in the name of a project."""

PROJECT_LENGTH = 128

KILLED = 255
"""The exit code by which wandb knows a run that was interrupted."""

Draw = Callable[[Path, int], Mapping[str, bytes]]
"""The figures of an inspection as PNG, by name, from a run's folder and the step."""

_log = logging.getLogger(__name__)


class MirroredRun:
    """One run in wandb, or nothing where it is not mirrored: every method then does nothing.

    Whatever goes wrong in wandb is one warning, and the end of the mirroring of this run.
    """

    def __init__(self, run: wandb.Run | None) -> None:
        self._run = run

    def log(self, record: Mapping[str, Any]) -> None:
        """Mirror a record of metrics.jsonl, with "flops" and "seconds" where known, at its step."""

        def log(run: wandb.Run) -> None:
            if record["step"] >= run.starting_step:
                nonfinite = record.get("nonfinite", ())
                known = {k: v for k, v in record.items() if k != "nonfinite" and v is not None}
                values = {**known, **dict.fromkeys(nonfinite, math.nan)}
                run.log(values, step=int(record["step"]))

        self._surviving(wandb_session.CALL_TIMEOUT, log)

    def log_samples(self, record: Mapping[str, Any], directory: Path) -> None:
        """Mirror a record of samples.jsonl: its texts as a table, its pictures as images with their
        legends, and what else it holds among the run's files, by its path.

        Args:
            record: of a step.
            directory: the run's folder, which holds the pictures and files.
        """

        def log(run: wandb.Run) -> None:
            step = int(record["step"])
            if step >= run.starting_step:
                import wandb

                rows: list[Any] = [(step, text) for text in record["texts"]]
                logged: dict[str, Any] = {}
                if rows:
                    logged["samples"] = wandb.Table(columns=["step", "text"], data=rows)
                legends = record.get("legends", {})
                for name, path in record.get("pictures", {}).items():
                    logged[name] = wandb.Image(str(directory / path), caption=legends.get(name))
                with staging_in(Path(run.dir)):
                    run.log(logged, step=step)
                for path in record.get("files", {}).values():
                    run.save(directory / path, base_path=directory, policy="now", glob=False)

        self._surviving(wandb_session.CALL_TIMEOUT, log)

    def log_inspection(
        self, record: Mapping[str, Any], directory: Path, draw: Draw | None = None
    ) -> None:
        """Mirror a line of inspection.jsonl, with what `inspection_values` says of it.

        Args:
            record: of a step.
            directory: the run's folder, which holds the arrays.
            draw: gives the figures; None for none. Asked only where there is a mirror.
        """

        def log(run: wandb.Run) -> None:
            if step >= run.starting_step:
                shown = inspection_values(record, read_arrays(directory, step, *KINDS), pictures)
                with staging_in(Path(run.dir)):
                    run.log({"step": step, **shown}, step=step)

        step = int(record["step"])
        pictures = self._drawn(directory, step, draw)
        self._surviving(wandb_session.CALL_TIMEOUT, log)

    def _drawn(self, directory: Path, step: int, draw: Draw | None) -> Mapping[str, bytes]:
        if self._run is None or draw is None:
            return {}
        try:
            return draw(directory, step)
        # Whatever a figure may lack, the rest is worth being mirrored.
        except Exception as error:
            _log.warning("no figures of inspections in wandb: %s", first_line(error))
            return {}

    def finish(self, run: Run, cost: Mapping[str, Any], directory: Path) -> None:
        """Close the mirror with the outcome and the cost ledger in its summary, and the record in
        its files, from which `wandb_fetch` makes it again."""
        score = run.score
        outcome = {
            "status": run.status,
            "score": score and {"step": score.step, "valid": score.valid, "test": score.test},
            "best": run.valid,
            "test": run.test,
            "held_out": run.held_out,
            "diverged_step": run.diverged_step,
            "error": run.error,
            "cost": cost,
        }

        def finish(open_run: wandb.Run) -> None:
            open_run.summary.update(_flat(outcome, ""))
            save_archive(open_run, carried(directory))
            open_run.finish(exit_code=0 if run.status == "finished" else 1)

        self._surviving(wandb_session.FINISH_TIMEOUT + wandb_session.CALL_TIMEOUT, finish)
        self._run = None

    def kill(self) -> None:
        """Close the mirror of a run that is interrupted, as wandb itself does on Control-C."""

        def kill(run: wandb.Run) -> None:
            run.summary.update({"status": "killed"})
            run.finish(exit_code=KILLED)

        self._surviving(wandb_session.KILL_TIMEOUT, kill)
        self._run = None

    def _surviving(self, seconds: float, call: Callable[[wandb.Run], None]) -> None:
        run = self._run
        if run is None:
            return
        try:
            in_time(seconds, lambda: call(run))
        except Unresponsive:
            self._run = None
        # Broad on purpose: a mirror that breaks, however it does, must not end a training.
        except Exception as error:
            _log.warning("wandb failed (%s); this run is no longer mirrored", first_line(error))
            self._run = None


class Mirror:
    """Where runs are mirrored to.

    Attributes:
        mode: "online"; "offline" (kept on disk, for `wandb sync`); or "disabled" (wandb is not even
            imported). Online without a key or a server is offline, with one warning a process.
        project: wandb's project.
        entity: wandb's user or team; None for the user's default.
        tags: of every run, beside its study, model and task, and those of WANDB_TAGS.

    Raises:
        SeqexpError: for what wandb would refuse once training is under way.
    """

    def __init__(
        self,
        mode: Mode,
        project: str,
        entity: str | None = None,
        tags: Sequence[str] | None = None,
    ) -> None:
        if mode not in get_args(Mode):
            raise SeqexpError(f"logger.mode must be one of {get_args(Mode)}, not {mode!r}")
        if not project or set(project) & NOT_IN_PROJECT or len(project) > PROJECT_LENGTH:
            raise SeqexpError(
                f"logger.project must be a name of at most {PROJECT_LENGTH} letters without any of "
                f"{' '.join(sorted(NOT_IN_PROJECT))}, not {project!r}"
            )
        tags = () if tags is None else tags
        if isinstance(tags, str) or not all(isinstance(tag, str) and tag.strip() for tag in tags):
            raise SeqexpError(f"logger.tags must be a list of words, like [one,two], not {tags!r}")
        _environment_tags()
        self.mode: Mode = mode
        self.project = project
        self.entity = entity
        self.tags = tuple(tags)

    @classmethod
    def of(cls, logger: Mapping[str, Any] | None) -> Mirror:
        """The mirror that a config's `logger` describes; none of it without one."""
        return cls("disabled", "seqexp") if logger is None else cls(**logger)

    def start(
        self,
        run: Run,
        directory: Path,
        metrics: Sequence[Mapping[str, Any]],
        samples: Sequence[Mapping[str, Any]],
        inspections: Sequence[Mapping[str, Any]] = (),
    ) -> MirroredRun:
        """Open the mirror of a run; any number may be open at once.

        A resumed run gets back all that it recorded before: offline, its former mirror is replaced
        by one that is complete; online, what the server has not got is sent.

        Args:
            run: what is known of it.
            directory: the run's folder; wandb writes into its subfolder `wandb`.
            metrics: the records so far, with their "flops" and "seconds".
            samples: the samples so far.
            inspections: the lines of inspections so far.
        """
        if self.mode == "disabled":
            return MirroredRun(None)
        try:
            seconds = wandb_session.INIT_TIMEOUT + wandb_session.CALL_TIMEOUT
            opened = in_time(seconds, lambda: self._open(run, directory))
            mirrored = MirroredRun(opened)
        except Unresponsive:
            return MirroredRun(None)
        # Broad on purpose: a mirror that does not open must not keep a training from starting.
        except Exception as error:
            _log.warning("wandb failed (%s); %s is not mirrored", first_line(error), run.name)
            return MirroredRun(None)
        records = [*metrics, *samples, *inspections]
        for record in sorted(records, key=lambda record: record["step"]):
            if "texts" in record:
                mirrored.log_samples(record, directory)
            elif "level" in record:
                mirrored.log_inspection(record, directory)
            else:
                mirrored.log(record)
        return mirrored

    def open(self, directory: Path, **what: Any) -> wandb.Run:
        """A run of this mirror's project, see `open_run`; it may raise whatever wandb raises."""
        return open_run(self.mode, directory, project=self.project, entity=self.entity, **what)

    def _open(self, run: Run, directory: Path) -> wandb.Run:
        names = ("study", "name", "model", "task", "seed", "group")
        # With what a width was solved for stands what it reached.
        match = run.match or run.config.get("match")
        own = {name: getattr(run, name) for name in names}
        opened = self.open(
            directory,
            id=run.id,
            name=run.name,
            group=f"{run.model}-{run.task}-{run.group[:8]}",
            job_type="train",
            tags=tags(run.study, run.model, run.task, *self.tags, *_environment_tags()),
            config={**redact(run.config), "match": match, "run": own},
        )
        for axis in AXES:
            opened.define_metric(axis)
        for curves in ("train/*", "valid/*", f"{START}/*"):
            opened.define_metric(curves, step_metric=AXES[0])
        return opened


def tags(*names: str) -> list[str]:
    """Each name once, as wandb takes them."""
    return [name[:TAG_LENGTH] for name in dict.fromkeys(names)]


def _environment_tags() -> list[str]:
    """Those of WANDB_TAGS, which wandb reads only where it is given no others.

    Raises:
        SeqexpError: wandb would refuse one, and with it the run.
    """
    written = os.environ.get("WANDB_TAGS")
    tags = written.split(",") if written else []
    if not all(tag.strip() and len(tag) <= TAG_LENGTH for tag in tags):
        raise SeqexpError(
            f"WANDB_TAGS must be words of at most {TAG_LENGTH} letters with commas between them, "
            f"not {written!r}"
        )
    return [tag.strip() for tag in tags]


def _flat(tree: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """Nested mappings as one, keys joined by "/", without what is None."""
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, Mapping):
            flat.update(_flat(value, f"{prefix}{name}/"))
        elif value is not None:
            flat[f"{prefix}{name}"] = value
    return flat
