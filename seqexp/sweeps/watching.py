"""What is watched of a group's members between two evaluations: samples, and inspections."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from seqexp.inspection.samples import Sampler
from seqexp.inspection.shown import has_samples
from seqexp.runs.record import RunRecord
from seqexp.sweeps.inspecting import GroupInspector
from seqexp.training import Hyper, Program
from seqexp.training.step import MemberState


class Watcher(Protocol):
    """Watches members after their evaluations, and changes nothing of their training."""

    def watch(self, run: RunRecord, state: MemberState, hyper: Hyper) -> None:
        """Write what is seen of a member into its record.

        Args:
            run: the record.
            state: on the host, of a member that has not diverged.
            hyper: of the member.
        """
        ...

    def tell(self) -> None:
        """Say, after the last step, what it took."""
        ...


def watchers_of(
    program: Program, config: Mapping[str, Any], name: str, say: Callable[[str], None]
) -> tuple[Watcher, ...]:
    """Those that a group's task and config ask for, in the order in which they watch.

    Args:
        program: of the group.
        config: what its members share.
        name: of the group, for people.
        say: takes a line for people.
    """
    sampler = GroupSampler(program) if has_samples(program.experiment.task) else None
    inspector = GroupInspector.of(program, config, name, say)
    return tuple(watcher for watcher in (sampler, inspector) if watcher is not None)


class GroupSampler:
    """Samples at each evaluation: what a member writes, and what its task shows of its answers.

    Args:
        program: of the group.
    """

    def __init__(self, program: Program) -> None:
        valid = program.held_out["valid"]
        self._sampler = Sampler(program.experiment, program.graphdef, valid)

    def watch(self, run: RunRecord, state: MemberState, hyper: Hyper) -> None:
        """Sample from a member."""
        found = self._sampler(state.params, hyper.traced().seed)
        run.log_samples(int(state.step), found.texts, found.pictures, found.files, found.legends)

    def tell(self) -> None:
        """Samples take no time worth telling."""
