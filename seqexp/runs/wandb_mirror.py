"""The wandb mirror of a run: a view for people, never the record. Nothing else imports wandb."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from seqexp.runs.redaction import redact
from seqexp.types import SeqexpError

if TYPE_CHECKING:
    import wandb

Mode = Literal["online", "offline", "disabled"]

INIT_TIMEOUT = 10.0
"""Seconds to wait for the server before a run is mirrored offline."""

FINISH_TIMEOUT = 60.0
"""Seconds to wait for uploads at the end of a run; what is left stays on disk for `wandb sync`."""

_TAG_LENGTH = 64

_log = logging.getLogger(__name__)

_offline_because: list[str] = []
"""Why this process can't reach the server, once it has tried."""


class MirroredRun:
    """One run in wandb, or nothing where it is not mirrored: every method then does nothing.

    Whatever goes wrong in wandb is one warning, and the end of the mirroring of this run.
    """

    def __init__(self, run: wandb.Run | None) -> None:
        self._run = run

    def log(self, record: Mapping[str, Any]) -> None:
        """Mirror a record of metrics.jsonl (with "seconds"), at its step."""
        with self._surviving() as run:
            if run and record["step"] >= run.starting_step:
                nonfinite = record.get("nonfinite", ())
                known = {k: v for k, v in record.items() if k != "nonfinite" and v is not None}
                values = {**known, **dict.fromkeys(nonfinite, math.nan)}
                run.log(values, step=int(record["step"]))

    def log_samples(self, step: int, texts: Sequence[str]) -> None:
        """Mirror the texts of a step as a table."""
        with self._surviving() as run:
            if run and step >= run.starting_step:
                import wandb

                table = wandb.Table(columns=["step", "text"], data=[(step, text) for text in texts])
                with _staging_in(Path(run.dir)):
                    run.log({"samples": table}, step=step)

    def finish(self, run: Mapping[str, Any], cost: Mapping[str, Any]) -> None:
        """Close the mirror with the outcome (a `run.json`) and the cost ledger in its summary."""
        with self._surviving() as open_run:
            if open_run:
                outcome = {
                    "status": run["status"],
                    "score": {name: run["score"][name] for name in ("step", "valid", "test")},
                    "best": run["valid"],
                    "test": run["test"],
                    "diverged_step": run["diverged_step"],
                    "error": run["error"],
                    "cost": cost,
                }
                open_run.summary.update(_flat(outcome, ""))
                open_run.finish(exit_code=0 if run["status"] == "finished" else 1)
        self._run = None

    @contextlib.contextmanager
    def _surviving(self) -> Iterator[wandb.Run | None]:
        try:
            yield self._run
        # Broad on purpose: a mirror that breaks, however it does, must not end a training.
        except Exception as error:
            _log.warning("wandb failed (%s); this run is no longer mirrored", _line(error))
            self._run = None


class Mirror:
    """Where runs are mirrored to.

    Attributes:
        mode: "online"; "offline" (kept on disk, for `wandb sync`); or "disabled" (wandb is not even
            imported). Online without a key or a server is offline, with one warning a process.
        project: wandb's project.
        entity: wandb's user or team; None for the user's default.
        tags: of every run, beside its study, model and task.
    """

    def __init__(
        self, mode: Mode, project: str, entity: str | None = None, tags: Sequence[str] = ()
    ) -> None:
        if mode not in get_args(Mode):
            raise SeqexpError(f"logger.mode must be one of {get_args(Mode)}, not {mode!r}")
        if isinstance(tags, str):
            raise SeqexpError(f"logger.tags must be a list, like [{tags}], not {tags!r}")
        self.mode: Mode = mode
        self.project = project
        self.entity = entity
        self.tags = tuple(tags)

    def start(
        self,
        run: Mapping[str, Any],
        directory: Path,
        metrics: Sequence[Mapping[str, Any]],
        samples: Sequence[Mapping[str, Any]],
    ) -> MirroredRun:
        """Open the mirror of a run; any number may be open at once.

        A resumed run gets back all that it recorded before: offline, its former mirror is replaced
        by one that is complete; online, what the server has not got is sent.

        Args:
            run: what stands in `run.json`.
            directory: the run's folder; wandb writes into its subfolder `wandb`.
            metrics: the records so far, with their "seconds".
            samples: the samples so far.
        """
        if self.mode == "disabled":
            return MirroredRun(None)
        try:
            mirrored = MirroredRun(self._open(run, directory))
        # Broad on purpose: a mirror that does not open must not keep a training from starting.
        except Exception as error:
            _log.warning("wandb failed (%s); %s is not mirrored", _line(error), run["name"])
            return MirroredRun(None)
        for record in sorted([*metrics, *samples], key=lambda record: record["step"]):
            if "texts" in record:
                mirrored.log_samples(record["step"], record["texts"])
            else:
                mirrored.log(record)
        return mirrored

    def _open(self, run: Mapping[str, Any], directory: Path) -> wandb.Run:
        # wandb reads these when it is imported: even offline it would look up a host otherwise.
        os.environ["WANDB_MODE"] = self.mode
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
        os.environ.setdefault("WANDB_SILENT", "true")
        import wandb

        if self.mode == "online" and not _offline_because:
            # Asked beforehand, because `init` would wait for an answer at a terminal.
            if wandb.login(prompt=False, verify=False):
                try:
                    return self._init(run, directory, "online")
                except Exception as error:
                    _offline_because.append(_line(error))
                # The service keeps the id of a run that failed to start until it is torn down; but
                # other runs that are open would end with it.
                if wandb.setup().most_recent_active_run is None:
                    wandb.teardown()
            else:
                _offline_because.append("no API key: run `wandb login`")
            _log.warning("wandb stays offline (%s); send runs with `wandb sync`", *_offline_because)
        return self._init(run, directory, "offline")

    def _init(
        self, run: Mapping[str, Any], directory: Path, mode: Literal["online", "offline"]
    ) -> wandb.Run:
        import wandb

        # All of it is in metrics.jsonl and is replayed: an old mirror would only be sent twice.
        shutil.rmtree(directory / "wandb", ignore_errors=True)
        names = {name: run[name] for name in ("study", "name", "model", "task", "seed", "group")}
        opened = wandb.init(
            mode=mode,
            project=self.project,
            entity=self.entity,
            dir=str(directory.absolute()),
            id=run["id"],
            name=run["name"],
            group=f"{run['model']}-{run['task']}-{run['group'][:8]}",
            job_type="train",
            tags=[
                tag[:_TAG_LENGTH]
                for tag in dict.fromkeys((run["study"], run["model"], run["task"], *self.tags))
            ],
            config={**redact(run["config"]), "run": names},
            reinit="create_new",
            resume="allow" if mode == "online" else None,
            settings=wandb.Settings(
                init_timeout=INIT_TIMEOUT,
                finish_timeout=FINISH_TIMEOUT,
                silent=True,
                console="off",
                symlink=False,
                save_code=False,
                disable_git=True,
                # Its metadata hold the command line, secrets and all; our manifest has it redacted.
                x_disable_meta=True,
                x_disable_machine_info=True,
                x_save_requirements=False,
                # A monitor per run would disturb the times that we measure.
                x_disable_stats=True,
            ),
        )
        for axis in ("step", "examples", "tokens", "seconds"):
            opened.define_metric(axis)
        for curves in ("train/*", "valid/*"):
            opened.define_metric(curves, step_metric="step")
        return opened


@contextlib.contextmanager
def _staging_in(directory: Path) -> Iterator[None]:
    """Let wandb keep the copies that it makes of tables beside the run, not in the user's home."""
    before = os.environ.get("WANDB_DATA_DIR")
    os.environ["WANDB_DATA_DIR"] = str(directory.parent)
    try:
        yield
    finally:
        del os.environ["WANDB_DATA_DIR"]
        if before is not None:
            os.environ["WANDB_DATA_DIR"] = before


def _flat(tree: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """Nested mappings as one, keys joined by "/", without what is None."""
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, Mapping):
            flat.update(_flat(value, f"{prefix}{name}/"))
        elif value is not None:
            flat[f"{prefix}{name}"] = value
    return flat


def _line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__
