"""Inspections of a group's members while they train, which change nothing of their training."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from seqexp.inspection.inspector import Inspector
from seqexp.inspection.settings import Settings
from seqexp.runs.record import RunRecord
from seqexp.training import Hyper, Program
from seqexp.training.step import MemberState
from seqexp.types import reason


def draw_step(run: Path, step: int) -> Mapping[str, bytes]:
    """The figures of an inspection as PNG, by name."""
    # matplotlib takes a second, and only inspections that are mirrored need it.
    from seqexp.inspection.figures import draw_step

    return draw_step(run, step)


class GroupInspector:
    """Inspects members between two evaluations, by one program that is compiled once.

    What goes wrong is said once, ends the group's inspections, and never its training.

    Args:
        program: of the group.
        settings: what is inspected, and when.
        name: of the group, for people.
        say: takes a line for people.
    """

    def __init__(
        self, program: Program, settings: Settings, name: str, say: Callable[[str], None]
    ) -> None:
        self._experiment = program.experiment
        self._settings = settings
        self._name = name
        self._say = say
        self._seconds = self._compile_seconds = 0.0
        self._count = 0
        self._failed = False
        valid = program.held_out["valid"]
        self._inspector = Inspector(program.experiment, program.graphdef, valid, settings)

    @classmethod
    def of(
        cls, program: Program, config: Mapping[str, Any], name: str, say: Callable[[str], None]
    ) -> GroupInspector | None:
        """The inspector that a config asks for; None where it asks for none."""
        settings = Settings.of(config.get("inspect"))
        return None if settings.level == "off" else cls(program, settings, name, say)

    def watch(self, run: RunRecord, state: MemberState, hyper: Hyper) -> None:
        """Inspect a member where it is due, and write what is found into its record.

        Args:
            run: the record.
            state: on the host.
            hyper: of the member.
        """
        step, experiment = int(state.step), self._experiment
        due = self._settings.due(step, experiment.eval_every, experiment.steps)
        if self._failed or not due:
            return
        started = time.perf_counter()
        try:
            found = self._inspector(state.params, step, hyper, state.opt_state)
            # A figure takes longer than an inspection: only the last one is drawn.
            draw = draw_step if step >= experiment.steps else None
            run.log_inspection(found.record, found.arrays, draw)
            self._count += 1
            self._compile_seconds += found.record["compile_seconds"]
            if self._count == 1:
                for probe, why in self._inspector.failed.items():
                    self._say(f"{self._name}: {probe} is not inspected: {why}")
        except Exception as error:  # Whatever it is, the training is worth having.
            self._failed = True
            self._say(f"{self._name} is not inspected any more: {reason(error)}")
        finally:
            self._seconds += time.perf_counter() - started

    def tell(self) -> None:
        """Say what the inspections took."""
        if self._count:
            times = "inspection" if self._count == 1 else "inspections"
            self._say(
                f"{self._name}: {self._count} {times} ({self._settings.level}) took "
                f"{self._seconds:.1f} s, {self._compile_seconds:.1f} s of it to compile"
            )
