"""Inspect the weights that a run has left, finished or not, and keep what is found."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
from flax import nnx

from seqexp.inspection.inspector import Inspection, Inspector
from seqexp.inspection.settings import Settings
from seqexp.runs import checkpoint
from seqexp.runs.identity import canonical
from seqexp.runs.inspection_writing import write_inspection
from seqexp.runs.inspections import read_inspections
from seqexp.runs.locks import Locks
from seqexp.runs.record import read_run
from seqexp.runs.schema import Run
from seqexp.runs.store import Damaged
from seqexp.sweeps.opening import restored_state
from seqexp.sweeps.point import Point
from seqexp.sweeps.recorded_point import recorded_point, refuse_redacted, warn_of_other_code
from seqexp.sweeps.trained import best_weights, with_weights
from seqexp.training import Experiment, Hyper
from seqexp.training.settings import refuse_settings
from seqexp.training.step import graph, init_member
from seqexp.types import SeqexpError


class _Left(NamedTuple):
    """What a run has left: parameters, their step, and the optimizer's state where it is kept."""

    params: Any
    step: int
    optimizer_state: Any


class RunInspector:
    """Inspects runs one after the other; those that share a program compile it once.

    Args:
        settings: the level, not "off", and how many examples.
    """

    def __init__(self, settings: Settings) -> None:
        refuse_settings()
        self._settings = settings
        self._inspectors: dict[tuple[str, bool], Inspector] = {}

    def inspect(self, folder: Path) -> Inspection:
        """Inspect a run: a finished one with the weights that were best on validation, another with
        those of its latest checkpoint.

        What is found is written into its folder, in the place of an inspection of the same step.
        The data is loaded. Warns, in one line, of a run that was made by other code. The lock of
        the run is held meanwhile: nobody trains it.

        Args:
            folder: of the run, wherever it lies now.

        Raises:
            SeqexpError: there is no run, or another process trains or inspects it, or it has left
                no weights, or its model or data can't be had, or a light inspection would take the
                place of a full one.
        """
        id = _run(folder).id  # Where there is no run, no folder of locks is made.
        with Locks(folder.resolve().parent) as locks:
            holder = locks.take(id)
            if holder is not None:
                raise SeqexpError(
                    f"{folder} is being trained or inspected by {holder}: wait until that is done, "
                    "or let training inspect, with inspect=full"
                )
            return self._inspect(folder, _run(folder))

    def _inspect(self, folder: Path, run: Run) -> Inspection:
        point = recorded_point(folder, run)
        refuse_redacted({"task": point.config["task"]}, folder)
        experiment = point.build()
        left = _left(folder, run, experiment)
        self._refuse_less(folder, left.step)
        warn_of_other_code(folder, point.config)
        inspector = self._inspector(point, experiment, left.optimizer_state is not None)
        found = inspector(left.params, left.step, point.hyper, left.optimizer_state)
        write_inspection(folder, found.record, found.arrays)
        return found

    def _refuse_less(self, folder: Path, step: int) -> None:
        levels: dict[int, str] = {}
        with suppress(Damaged):  # What is damaged is written anew.
            levels = {line["step"]: line.get("level", "") for line in read_inspections(folder)}
        if levels.get(step) == "full" and self._settings.level == "light":
            raise SeqexpError(
                f"{folder} has a full inspection of step {step}, which a light one would replace: "
                "leave out level=light"
            )

    def _inspector(self, point: Point, experiment: Experiment, training: bool) -> Inspector:
        key = canonical(point.shared_config()), training
        if key not in self._inspectors:
            valid = experiment.task.load().held_out["valid"]
            self._inspectors[key] = Inspector(experiment, graph(experiment), valid, self._settings)
        return self._inspectors[key]


def _run(folder: Path) -> Run:
    run = read_run(folder)
    if run is None:
        raise SeqexpError(f"no run in {folder}: give the folder of a run, runs/STUDY/ID")
    return run


def _left(folder: Path, run: Run, experiment: Experiment) -> _Left:
    if run.status == "finished":
        saved = best_weights(folder)
        model = with_weights(experiment, saved.tree, folder)
        return _Left(nnx.state(model), saved.step, None)
    saved = checkpoint.load(folder, run.id)
    if saved is None:
        raise SeqexpError(
            f"{folder} has no weights yet: it is {run.status}, and its first checkpoint comes with "
            "its first evaluation"
        )
    like = jax.eval_shape(partial(init_member, experiment, Hyper.example()))
    try:
        state = restored_state(saved.tree["state"], like)
    except (KeyError, TypeError, ValueError) as error:
        raise SeqexpError(
            f"{folder / checkpoint.CURRENT} is not of the model that its config makes by the code "
            f"of today ({error})"
        ) from error
    return _Left(state.params, saved.step, state.opt_state)
