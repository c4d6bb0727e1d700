"""Small experiments that the tests of training share."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
import optax
from jax.sharding import Mesh

from seqexp.cells import GRU
from seqexp.layers import Variational
from seqexp.models import SequenceModel
from seqexp.tasks import Adding, SequentialDigits
from seqexp.training import Experiment, GroupState, Hyper, Interval, Optimizer, Program, train
from seqexp.training.loop import Standing
from seqexp.training.mesh import BATCH, MEMBERS, group_mesh
from seqexp.training.schedules import warmup_cosine
from seqexp.training.step import MemberState
from seqexp.types import Splits, Task

HYPERS = (Hyper(0, 1e-2, 0.0, 1.0), Hyper(1, 3e-3, 0.1, float("inf")), Hyper(2, 1e-2, 0.0, 0.5))


@functools.cache
def adding() -> Adding:
    return Adding(length=6, valid_examples=20, test_examples=20)


@functools.cache
def digits() -> SequentialDigits:
    return SequentialDigits()


def experiment(task: Task, **changes: Any) -> Experiment:
    model = functools.partial(
        SequenceModel,
        cell=GRU,
        features=5,
        depth=2,
        bidirectional=False,
        merge="concat",
        dropout=0.1,
        residual=False,
        norm="none",
        pooling="last",
        cell_dropout=functools.partial(Variational, input_rate=0.1, hidden_rate=0.1),
    )
    settings = {
        "model": model,
        "task": task,
        "optimizer": Optimizer(optax.scale_by_adam(), warmup_cosine(warmup=0.1, final=0.1)),
        "steps": 8,
        "batch_size": 4,
        "eval_every": 3,
        "eval_batch_size": 16,
    }
    return Experiment(**(settings | changes))


def program(
    experiment: Experiment,
    splits: Splits,
    hypers: Sequence[Hyper],
    members: int | None = None,
    batch_devices: int = 1,
) -> Program:
    mesh = group_mesh(members or len(hypers), batch_devices)
    return Program.of(experiment, splits, hypers, mesh)


def row_of(devices: int) -> Mesh:
    """A mesh of exactly so many devices; one is possible too, where `group_mesh` takes two."""
    return Mesh(np.asarray(jax.local_devices()[:devices]).reshape(-1, 1), (MEMBERS, BATCH))


def trained(
    program: Program, states: GroupState | None = None, standings: list[Standing] | None = None
) -> tuple[list[MemberState], list[dict[int, dict[str, float]]], list[Interval]]:
    """The members' last states, and the records and chunks on the way."""
    states = program.init() if states is None else states
    chunks = []
    last = program.take(states)
    for chunk in train(program, states, standings):
        last = program.take(chunk.states)
        chunks.append(chunk)
    return last, [chunk.records for chunk in chunks], chunks


def assert_bitwise(one: Any, other: Any) -> None:
    """Equal structure, and equal bytes of every array."""
    ours, theirs = jax.tree.leaves_with_path(one), jax.tree.leaves_with_path(other)
    assert [path for path, _ in ours] == [path for path, _ in theirs]
    for (path, a), (_, b) in zip(ours, theirs, strict=True):
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes(), jax.tree_util.keystr(path)
