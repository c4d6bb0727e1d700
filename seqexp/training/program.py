"""The compiled programs of a group: init, advance, evaluate, keep the best."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np
from flax import nnx
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from seqexp.training.batches import batch_shapes
from seqexp.training.check_data import check_data
from seqexp.training.evaluation import (
    Evaluation,
    eval_batches,
    joined,
    pooled,
    real_examples,
    weights,
)
from seqexp.training.experiment import Experiment
from seqexp.training.hyper import Hyper
from seqexp.training.members import Advanced
from seqexp.training.programs import Compiled, Programs
from seqexp.training.slices import Slices, on_host
from seqexp.training.step import MemberState
from seqexp.types import Batch, Bucket, SeqexpError, Splits, Stream

GroupState = tuple[MemberState, ...]
"""All members of a group: one state a slice, each stacked over the slice's members."""


@dataclass(frozen=True, eq=False)
class Program:
    """A group's programs on a mesh, from `Program.of`.

    Members are trained a slice at a time. One by one is bitwise what each gives alone; more run
    side by side (`vmap`), which is the same to rounding. The programs don't depend on the number
    of members, only on the mesh and the slices' width.

    Attributes:
        experiment: what all members share.
        hypers: what each member has of its own.
        slices: which members train side by side.
        batches: a training batch of each bucket in shape.
        stream: training data, on each device.
        held_out: batches of each split, on each device.
        programs: at all slice widths.
    """

    experiment: Experiment
    hypers: tuple[Hyper, ...]
    slices: Slices
    batches: Mapping[Bucket, Batch]
    stream: Stream
    held_out: Mapping[str, Sequence[Batch]]
    programs: Programs

    @classmethod
    def of(
        cls,
        experiment: Experiment,
        splits: Splits,
        hypers: Sequence[Hyper],
        mesh: Mesh,
        slice_width: int = 1,
        programs: Programs | None = None,
    ) -> Program:
        """The programs of a group; its data goes to the devices.

        Args:
            experiment: what all members share.
            splits: the task's data.
            hypers: what each member has of its own.
            mesh: from `group_mesh`.
            slice_width: how many members a device trains side by side, one of `slice_widths`.
            programs: of the same experiment on the same mesh, where there are some.

        Raises:
            SeqexpError: if the data is not what the task's spec promises, if a batch cannot be
                split evenly over the mesh's batch devices, or if there are 2**32 time steps or more
                between two evaluations.
        """
        check_data(experiment.task, splits, experiment.batch_size)
        batches = batch_shapes(splits.train, experiment.batch_size)
        for bucket in batches:
            require_share(bucket.batch_size, mesh.devices.shape[1])
        _require_countable(experiment, batches)
        everywhere = NamedSharding(mesh, PartitionSpec())
        return cls(
            experiment=experiment,
            hypers=tuple(hyper.traced() for hyper in hypers),
            slices=Slices(mesh, len(hypers), slice_width),
            batches=batches,
            stream=jax.device_put(splits.train, everywhere),
            held_out={
                name: jax.device_put(eval_batches(split, experiment.eval_batch_size), everywhere)
                for name, split in splits.held_out.items()
            },
            programs=programs or Programs(experiment, mesh, len(batches)),
        )

    @property
    def members(self) -> int:
        """M."""
        return self.slices.members

    @property
    def mesh(self) -> Mesh:
        """What the members train on."""
        return self.slices.mesh

    @property
    def graphdef(self) -> nnx.GraphDef:
        """The model without its arrays."""
        return self.programs.graphdef

    @property
    def compiled(self) -> Compiled:
        """The programs at this slice width."""
        return self.programs.at_width(self.slices.width)

    @property
    def compiled_ahead(self) -> bool:
        """Whether the program that trains was compiled while something else ran."""
        return self.slices.width in self.programs.compiled_ahead

    def at_width(self, slice_width: int) -> Program:
        """The same group, its data shared, with so many members of a device side by side."""
        return replace(self, slices=replace(self.slices, width=slice_width))

    def first_slice(self) -> Program:
        """The same programs, compiled once for both, for the members of the first slice alone."""
        hypers = self.hypers[: self.slices.size]
        return replace(self, hypers=hypers, slices=replace(self.slices, members=len(hypers)))

    def init(self) -> GroupState:
        """All members before their first step."""
        return self.place([on_host(self.compiled.init(hyper)) for hyper in self.hypers])

    def place(self, states: Sequence[MemberState]) -> GroupState:
        """Members' states from the host, onto the devices."""
        return tuple(self.slices.split(states))

    def take(self, states: GroupState) -> list[MemberState]:
        """Members' states, on the host."""
        return self.slices.join(states)

    def lower(self, states: GroupState) -> jax.stages.Lowered:
        """The program that trains a slice, not compiled yet."""
        hypers, until = (self.slices.split(each)[0] for each in (self.hypers, self._untils(0)))
        return self.compiled.advance.lower(states[0], hypers, until, self.stream)

    def advance(
        self, states: GroupState, until: np.ndarray, hypers: Sequence[Hyper] | None = None
    ) -> tuple[GroupState, list[Advanced]]:
        """Train each member up to its own target step.

        Args:
            states: of all members.
            until: `[M]` int32, at most `eval_every` steps ahead; a member already there rests.
            hypers: in place of the members' own.

        Returns:
            The states, and what the steps gave in sum, by member, on the host.
        """
        own = self.hypers if hypers is None else [hyper.traced() for hyper in hypers]
        untils = self.slices.split(self._untils(until), np.int32(0))
        slices = zip(states, self.slices.split(own), untils, strict=True)
        done = [
            self.compiled.advance(state, hyper, last, self.stream) for state, hyper, last in slices
        ]
        return tuple(state for state, _ in done), self.slices.join([given for _, given in done])

    def evaluate(
        self, params: Sequence[Any], active: np.ndarray, split: str
    ) -> dict[int, Evaluation]:
        """The metrics of the active members over a whole split, by member.

        Args:
            params: of each slice.
            active: `[M]`, which members to evaluate.
            split: the name of one that is held out.
        """
        task, batches = self.experiment.task, self.held_out[split]
        total = pooled(self._each(self.compiled.evaluate, params, active, b) for b in batches)
        generated, whole = {}, batches[0]
        if task.decoding is not None:
            parts = [self._each(self.compiled.decode, params, active, b) for b in batches]
            generated = {m: joined([part[m] for part in parts]) for m in range(self.members)}
            whole = joined(batches)
        found = {}
        for m in np.flatnonzero(active).tolist():
            metrics = dict(task.summarize(total[m]))
            if task.decoding is not None:
                metrics |= task.judge(*real_examples(generated[m], whole))
            found[m] = Evaluation(metrics, weights(total[m]))
        return found

    def keep_best(self, states: GroupState, better: np.ndarray) -> GroupState:
        """Remember the parameters of the members whose score got better."""
        masks = self.slices.split(list(better), np.False_)
        both = zip(states, masks, strict=True)
        return tuple(self.compiled.keep_best(state, mask) for state, mask in both)

    def _untils(self, until: np.ndarray | int) -> list[np.int32]:
        return list(np.broadcast_to(until, self.members).astype(np.int32))

    def _each(
        self, function: Callable[..., Any], params: Sequence[Any], active: np.ndarray, batch: Batch
    ) -> list[Any]:
        """The output of a program for a batch, by member, on the host."""
        masks = self.slices.split(list(active), np.False_)
        return self.slices.join(
            [function(p, mask, batch) for p, mask in zip(params, masks, strict=True)]
        )


def require_share(batch_size: int, batch_devices: int) -> None:
    """Raise SeqexpError where a batch cannot be split evenly over devices."""
    if batch_size % batch_devices:
        raise SeqexpError(
            f"trainer.batch_size={batch_size} cannot be split over "
            f"trainer.batch_devices={batch_devices}: choose a multiple"
        )


def _require_countable(experiment: Experiment, batches: Mapping[Bucket, Batch]) -> None:
    """Time steps between two evaluations are counted in 32 bits."""
    longest = max(
        sum(np.prod(part.values.shape[:2]) for part in (batch.inputs, batch.prefix) if part)
        for batch in batches.values()
    )
    time_steps = experiment.most_steps * int(longest)
    if time_steps >= 2**32:
        raise SeqexpError(
            f"trainer.eval_every={experiment.eval_every} is {time_steps:,} time steps "
            "between evaluations, more than are counted: evaluate more often"
        )
