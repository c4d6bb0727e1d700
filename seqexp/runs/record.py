"""The record of one run: the folder that training writes and that everything else only reads."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from seqexp.runs import checkpoint, png, store
from seqexp.runs.attempts import NOTE
from seqexp.runs.inspection_writing import forget_inspections_after, write_inspection
from seqexp.runs.inspections import read_inspections
from seqexp.runs.redaction import redact
from seqexp.runs.schema import (
    COST,
    FILES,
    FORMAT,
    MANIFEST,
    METRICS,
    PICTURES,
    RUN,
    SAMPLES,
    TIMING,
    WEIGHTS,
    Malformed,
    Run,
    Scored,
    Status,
)
from seqexp.runs.wandb_mirror import Draw, Mirror, MirroredRun
from seqexp.types import Score, SeqexpError


@dataclass(frozen=True)
class RunInfo:
    """What is known of a run before it trains.

    Attributes:
        id: `identity.identity` of its config.
        study: the sweep that it belongs to.
        name: for people, such as "lstm adding lr=0.003 seed 0".
        model: the name of the model's config.
        task: the name of the task's config.
        seed: of all its randomness.
        group: `identity.group_identity`, shared by its other seeds.
        config: resolved; what looks secret in it is redacted before it is written.
        score: what the run is judged by.
        baselines: scores that need no model.
        match: the budget that its width was solved for, and what it reached; None where the width
            is as configured.
        choices: the file chosen in each group of the menu, null for none.
        folder: of its record in the study's; None for one called by its id.
    """

    id: str
    study: str
    name: str
    model: str
    task: str
    seed: int
    group: str
    config: Mapping[str, Any]
    score: Score
    baselines: Mapping[str, float]
    match: Mapping[str, Any] | None = None
    choices: Mapping[str, str | None] = field(default_factory=dict)
    folder: str | None = None


def study_directory(runs_dir: Path, study: str) -> Path:
    """Where a study's records are: `runs_dir/study`.

    Raises:
        SeqexpError: the study's name would lead out of its place.
    """
    if not study or study.startswith(".") or "/" in study or "\\" in study:
        raise SeqexpError(f"study={study!r} is no folder name; use letters, digits, - and _")
    return runs_dir / study


def run_directory(runs_dir: Path, study: str, run_id: str) -> Path:
    """Where a run's record is: `runs_dir/study/run_id`. Raises as `study_directory`."""
    return study_directory(runs_dir, study) / run_id


def is_finished(directory: Path) -> bool:
    """Whether a run need not train (again): it finished, or it diverged, which is a result too.

    A folder that is missing, half written or torn is not finished, nor is one whose run is still
    "running" (it may have been killed) or "failed".
    """
    try:
        run = store.read_json(directory / RUN)
    except SeqexpError:
        return False
    return run is not None and run.get("status") in ("finished", "diverged")


def read_run(directory: Path) -> Run | None:
    """What the `run.json` in a run's folder tells; None where there is none.

    Raises:
        SeqexpError: it is damaged, or another version of seqexp wrote it.
    """
    path = directory / RUN
    value = store.read_json(path)
    if value is None:
        return None
    if value.get("format") != FORMAT:
        raise SeqexpError(
            f"{path} has format {value.get('format')}, this version reads {FORMAT}; "
            "delete the folder to run again"
        )
    try:
        return Run.from_json(value)
    except Malformed as error:
        raise store.Damaged(f"{path} is damaged ({error})") from error


class RunRecord:
    """A run's folder, open for writing.

    A new run is `create`d; one that was cut short is `open`ed and told where its checkpoint lets
    it `resume_from`. Then `log` at each evaluation, and one of `finish`, `diverge`, `fail`.
    """

    def __init__(self, directory: Path, run: Run, mirror: Mirror) -> None:
        self.directory = directory
        self._run = run
        self._mirror = mirror
        self._mirrored = MirroredRun(None)
        self._cost: dict[str, Any] = {}

    @classmethod
    def create(
        cls, runs_dir: Path, info: RunInfo, manifest: Mapping[str, Any], mirror: Mirror
    ) -> RunRecord:
        """Start the record of a run, in place of whatever its folder held."""
        directory = run_directory(runs_dir, info.study, info.folder or info.id)
        _clear(directory)
        store.write_json_atomic(directory / MANIFEST, manifest)
        record = cls(directory, begun(info), mirror)
        record._write_run()
        record._start_mirror()
        return record

    @classmethod
    def open(cls, directory: Path, mirror: Mirror) -> RunRecord:
        """Open the record of a run that was started before.

        Raises:
            SeqexpError: there is none, it is torn, or another version of seqexp wrote it.
        """
        run = read_run(directory)
        if run is None:
            raise SeqexpError(f"no run in {directory}; start it anew")
        return cls(directory, run, mirror)

    @property
    def run(self) -> dict[str, Any]:
        """What stands in its `run.json`."""
        return self._run.to_json()

    @property
    def status(self) -> Status:
        return self._run.status

    @property
    def is_finished(self) -> bool:
        """Finished or diverged: there is nothing left to train."""
        return self.status in ("finished", "diverged")

    def resume_from(self, step: int, info: RunInfo, manifest: Mapping[str, Any]) -> None:
        """Go on after `step`: what was recorded later goes, for it will be computed again.

        What `run.json` says is written anew: the plan knows it, and a file may have been changed.
        The manifest is kept beside the first one, under "resumed", for the code may be another.
        """
        for name in (METRICS, TIMING, SAMPLES):
            store.truncate_after(self.directory / name, step)
        forget_inspections_after(self.directory, step)
        first = store.read_json(self.directory / MANIFEST) or {}
        resumed = [*first.get("resumed", []), {"step": step, **manifest}]
        store.write_json_atomic(self.directory / MANIFEST, {**first, "resumed": resumed})
        self._run = begun(info)
        self._write_run()
        # A ledger that is damaged is measured again.
        with contextlib.suppress(SeqexpError):
            self._cost = store.read_json(self.directory / COST) or {}
        self._start_mirror()

    def log(self, record: Mapping[str, Any], seconds: float) -> None:
        """Append what training computed by `record["step"]`, and how long it has trained for.

        The seconds stand in a file of their own: the metrics are the same in every repetition.
        """
        store.append(self.directory / METRICS, record)
        store.append(self.directory / TIMING, {"step": record["step"], "seconds": seconds})
        self._mirrored.log(self._on_all_axes(record))

    def log_samples(
        self,
        step: int,
        texts: Sequence[str],
        pictures: Mapping[str, np.ndarray] | None = None,
        files: Mapping[str, bytes] | None = None,
        legends: Mapping[str, str] | None = None,
    ) -> None:
        """Append texts of `step`, keep pictures (`[H, W]` from 0, white, to 1) as PNG files, with
        what is seen in them, and other files as they are."""
        record: dict[str, Any] = {"step": step, "texts": list(texts)}
        if pictures:
            record["pictures"] = {name: f"{PICTURES}/{name}-{step}.png" for name in pictures}
            for name, path in record["pictures"].items():
                png.write(self.directory / path, pictures[name])
        if legends:
            record["legends"] = dict(legends)
        if files:
            record["files"] = {
                name: f"{FILES}/{Path(name).stem}-{step}{Path(name).suffix}" for name in files
            }
            for name, path in record["files"].items():
                (self.directory / path).parent.mkdir(exist_ok=True)
                store.write_atomic(self.directory / path, files[name])
        store.append(self.directory / SAMPLES, record)
        self._mirrored.log_samples(record, self.directory)

    def log_inspection(
        self, record: Mapping[str, Any], arrays: Mapping[str, np.ndarray], draw: Draw | None = None
    ) -> None:
        """Keep an inspection, see `write_inspection`; the mirror shows the figures of `draw`."""
        write_inspection(self.directory, record, arrays)
        self._mirrored.log_inspection(record, self.directory, draw)

    def save_weights(self, step: int, tree: Any) -> None:
        """Keep the weights of `step`, the best so far (arrays as in `checkpoint.save`)."""
        checkpoint.write(self.directory / WEIGHTS, self._run.id, step, tree)

    def save_checkpoint(self, step: int, tree: Any) -> None:
        """Keep all that training needs to go on after `step`, see `checkpoint.save`."""
        checkpoint.save(self.directory, self._run.id, step, tree)

    def write_cost(self, ledger: Mapping[str, Any]) -> None:
        """Write what the run costs."""
        self._cost = dict(ledger)
        store.write_json_atomic(self.directory / COST, ledger)

    def finish(
        self,
        step: int,
        valid: Mapping[str, float],
        test: Mapping[str, float],
        targets: Mapping[str, float] | None = None,
        held_out: Mapping[str, Mapping[str, float]] | None = None,
    ) -> None:
        """Close the record: all metrics of the weights of `step`, the best on validation.

        Args:
            step: of these weights.
            valid: their metrics on validation.
            test: and on the test split.
            targets: over how many targets (or their weights) each of the latter is a mean.
            held_out: their metrics on further splits that were read once, like test.
        """
        score = self._run.score
        if score is None:
            raise SeqexpError(f"{self.directory / RUN} names no score; delete it to run again")
        self._update(
            status="finished",
            score=replace(score, step=step, valid=valid[score.name], test=test[score.name]),
            valid=dict(valid),
            test=dict(test),
            test_targets=targets,
            held_out=held_out or {},
        )
        self._finish_mirror()

    def diverge(self, step: int) -> None:
        """Close the record of a run whose loss or parameters were no longer finite at `step`."""
        self._update(status="diverged", diverged_step=step)
        self._finish_mirror()

    def fail(self, error: str) -> None:
        """Close the record of a run that could not go on, with the reason."""
        try:
            self._update(status="failed", error=error)
        finally:  # wandb is told even where the disk is full.
            self._finish_mirror()

    def interrupt(self) -> None:
        """Leave the record as it is, to be gone on with; its mirror is told that it was killed."""
        self._mirrored.kill()

    def _update(self, **changes: Any) -> None:
        self._run = replace(self._run, **changes)
        self._write_run()

    def _write_run(self) -> None:
        store.write_json_atomic(self.directory / RUN, self.run)

    def _start_mirror(self) -> None:
        metrics = list(map(self._on_all_axes, store.read(self.directory / METRICS)))
        samples = store.read(self.directory / SAMPLES)
        logged = metrics, samples, read_inspections(self.directory)
        self._mirrored = self._mirror.start(self._run, self.directory, *logged)

    def _on_all_axes(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """A record of metrics with all that training took up to it, by its costs, where known."""
        axes = {"flops": "training_flops_per_step", "seconds": "step_seconds"}
        each = {axis: self._cost.get(figure) for axis, figure in axes.items()}
        took = {axis: cost and cost * record["step"] for axis, cost in each.items()}
        return {**record, **took}

    def _finish_mirror(self) -> None:
        self._mirrored.finish(self._run, self._cost, self.directory)


def begun(info: RunInfo) -> Run:
    """A run that has no result yet."""
    return Run(
        id=info.id,
        study=info.study,
        name=info.name,
        model=info.model,
        task=info.task,
        seed=info.seed,
        group=info.group,
        config=redact(info.config),
        match=info.match,
        choices=info.choices,
        score=Scored(info.score.name, info.score.goal),
        baselines=info.baselines,
    )


def _clear(directory: Path) -> None:
    """An empty folder, but for the note of the attempt that is being made."""
    directory.mkdir(parents=True, exist_ok=True)
    # First the file that could call the old run finished while half of it is gone.
    rest = [path for path in directory.iterdir() if path.name not in (RUN, NOTE)]
    for path in (directory / RUN, *rest):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
