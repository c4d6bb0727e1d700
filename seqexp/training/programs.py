"""The programs of a group, by slice width: compiled at first use, or before from shapes alone."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np
from flax import nnx
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from seqexp.compiling import QuickJit
from seqexp.training import members
from seqexp.training.batches import batch_shapes
from seqexp.training.evaluation import batch_outlines
from seqexp.training.experiment import Experiment
from seqexp.training.hyper import Hyper
from seqexp.training.members import Training
from seqexp.training.mesh import BATCH
from seqexp.training.slices import Slices
from seqexp.training.step import graph, init_member, outline
from seqexp.types import Splits


class Compiled(NamedTuple):
    """Programs, compiled at first use; all but the first take slices of members."""

    init: QuickJit
    advance: Any
    evaluate: Any
    decode: Any
    keep_best: Any


class Programs:
    """What a group's members are trained and evaluated by, on a mesh.

    Args:
        experiment: what all members share.
        mesh: from `group_mesh`.
        buckets: how many kinds of training batches there are.

    Attributes:
        graphdef: the model without its arrays.
        compiled_ahead: the slice widths whose training program `compile_ahead` has compiled.
    """

    def __init__(self, experiment: Experiment, mesh: Mesh, buckets: int) -> None:
        self.experiment = experiment
        self.mesh = mesh
        self.buckets = buckets
        self.graphdef: nnx.GraphDef = graph(experiment)
        self.compiled_ahead: set[int] = set()
        self._by_width: dict[int, Compiled] = {}

    @classmethod
    def compile_ahead(
        cls, experiment: Experiment, splits: Splits, mesh: Mesh, widths: Sequence[int]
    ) -> Programs:
        """The programs of a group, compiled from the shapes of its arrays; on an accelerator
        only traced, since compiling there tries kernels on the device.

        Nothing comes to a device. What is called later is not traced or compiled again.

        Args:
            experiment: what all members share.
            splits: the task's data.
            mesh: from `group_mesh`.
            widths: the slice widths.
        """
        programs = cls(experiment, mesh, len(batch_shapes(splits.train, experiment.batch_size)))
        for width in widths:
            programs._compile(width, splits)
        return programs

    def at_width(self, width: int) -> Compiled:
        """The programs at a slice width, the same ones each time."""
        if width not in self._by_width:
            self._by_width[width] = self._jitted(Slices(self.mesh, 1, width))
        return self._by_width[width]

    def _jitted(self, slices: Slices) -> Compiled:
        experiment, graphdef = self.experiment, self.graphdef
        columns = self.mesh.devices.shape[1]
        training = Training(experiment, graphdef, BATCH if columns > 1 else None, columns)
        if self.buckets > 1 and slices.width > 1:
            advance = slices.compile_stacked("advance", training.advance_together, 3, 1)
        else:
            advance = slices.compile("advance", training.advance, 3, 1)
        evaluate = partial(members.evaluate, experiment, graphdef)
        decode = partial(members.decode, experiment, graphdef)
        return Compiled(
            # Run once a member: what takes seconds is to compile it.
            init=QuickJit(partial(init_member, experiment)),
            advance=advance,
            evaluate=slices.compile("evaluate", evaluate, 2, 1),
            decode=slices.compile("decode", decode, 2, 1),
            keep_best=slices.compile("keep_best", members.keep_best, 2, 0),
        )

    def _compile(self, width: int, splits: Splits) -> None:
        compiled, slices = self.at_width(width), Slices(self.mesh, 1, width)
        on_cpu = self.mesh.devices.flat[0].platform == "cpu"
        everywhere = NamedSharding(self.mesh, PartitionSpec())

        def shared(arrays: Any) -> Any:
            return jax.tree.map(
                lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=everywhere), arrays
            )

        def make(program: Any, *arguments: Any) -> None:
            lowered = program.lower(*arguments)
            if on_cpu:
                lowered.compile()

        hyper = Hyper.example().traced()
        _, member = outline(self.experiment)
        state, hypers, until, mask = map(
            slices.outline, (member, hyper, np.int32(0), np.bool_(False))
        )
        make(compiled.advance, state, hypers, until, shared(splits.train))
        if on_cpu:
            self.compiled_ahead.add(width)
        for split in splits.held_out.values():
            for batch in map(shared, batch_outlines(split, self.experiment.eval_batch_size)):
                make(compiled.evaluate, state.params, mask, batch)
                if self.experiment.task.decoding is not None:
                    make(compiled.decode, state.params, mask, batch)
        make(compiled.keep_best, state, mask)
        make(compiled.init, hyper)
