"""What a model costs on a task, measured alone before it trains."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from flax import nnx

from seqexp.costs.decoding import decode_seconds
from seqexp.costs.flops import count
from seqexp.costs.ledger import CostLedger
from seqexp.costs.memory import carry_bytes, program_bytes
from seqexp.costs.parameters import count_parameters
from seqexp.costs.timing import Timing, compile_seconds, seconds
from seqexp.training import Experiment, Hyper, Program
from seqexp.training.step import MemberState, train_step
from seqexp.types import Batch, Splits

REPEATS = 9
SECONDS_A_REPEAT = 0.15
DECODE_STEPS = 100


class TrainingCost(NamedTuple):
    """What training costs at a slice width.

    Attributes:
        step: seconds of a step of a slice, over the members that are side by side in it.
        compile_seconds: of the program that trains.
        program_bytes: of the same program.
    """

    step: Timing
    compile_seconds: float
    program_bytes: int | None


def measure_costs(
    program: Program, fresh: Sequence[MemberState], splits: Splits, widths: Sequence[int]
) -> tuple[Program, CostLedger]:
    """The group's program at its fastest slice width, and the ledger of one member of it.

    A token is a true step, padding is not.

    Args:
        program: of the group, at any width.
        fresh: all members before their first step.
        splits: the task's data.
        widths: the slice widths to try, narrow ones first.
    """
    program, training, tried = _fastest(program, fresh, widths)
    state, split = fresh[0], splits.valid
    model = nnx.merge(program.graphdef, state.params)
    tokens = program.experiment.batch_size * float(np.mean(split.lengths))
    sizes = count_parameters(state.params)
    inference = _inference_flops(program.experiment, program.graphdef, state, split)
    ledger = CostLedger(
        parameters=sizes.total,
        recurrent_parameters=sizes.recurrent,
        embedding_parameters=sizes.embedding,
        readout_parameters=sizes.readout,
        carry_bytes=carry_bytes(model),
        inference_flops_per_token=inference / tokens,
        training_flops_per_token=training_flops(program.experiment, program.graphdef, state, split)
        / tokens,
        slice_width=program.slice_width,
        step_seconds=training.step.median,
        step_seconds_q25=training.step.q25,
        step_seconds_q75=training.step.q75,
        step_seconds_at_width={str(width): step for width, step in tried.items()},
        tokens_per_second=tokens / training.step.median,
        compile_seconds=training.compile_seconds,
        program_bytes=training.program_bytes,
        decode_seconds_per_token=decode_seconds(model, split.inputs[:1, 0], steps=DECODE_STEPS),
    )
    return program, ledger


def training_flops(
    experiment: Experiment, graphdef: nnx.GraphDef, state: MemberState, split: Batch
) -> int:
    """FLOPs of one training step on a batch like those of a split; shapes in place of arrays do."""

    def step(state: MemberState, batch: Batch) -> Any:
        return train_step(experiment, graphdef, state, Hyper(0, 0.0, 0.0, 0.0), batch)

    return count(step, state, _batch_shapes(experiment, split)).total


def _inference_flops(
    experiment: Experiment, graphdef: nnx.GraphDef, state: MemberState, split: Batch
) -> int:
    def forward(params: Any, batch: Batch) -> Any:
        return nnx.merge(graphdef, params)(batch.inputs, batch.lengths).outputs

    return count(forward, state.params, _batch_shapes(experiment, split)).total


def _batch_shapes(experiment: Experiment, split: Batch) -> Batch:
    return jax.tree.map(
        lambda a: jax.ShapeDtypeStruct((experiment.batch_size, *a.shape[1:]), a.dtype), split
    )


def _fastest(
    program: Program, fresh: Sequence[MemberState], widths: Sequence[int]
) -> tuple[Program, TrainingCost, dict[int, float]]:
    """The width at which a step of the whole group takes the least time, and what each took."""
    tried: dict[int, float] = {}
    best: tuple[float, Program, TrainingCost] | None = None
    for width in widths:
        candidate = program.at_width(width)
        try:
            cost = _training_cost(candidate, fresh)
        except jax.errors.JaxRuntimeError as error:
            if best is None or "RESOURCE_EXHAUSTED" not in str(error):
                raise
            break  # Wider slices need more memory still.
        tried[width] = cost.step.median
        # By slices, not by members, for the last slice takes as long where it is half empty.
        slices = -(-candidate.members // candidate.slice_size)
        whole_group = slices * width * cost.step.median
        if best is None or whole_group < best[0]:
            best = whole_group, candidate, cost
    assert best is not None
    return best[1], best[2], tried


def _training_cost(program: Program, fresh: Sequence[MemberState]) -> TrainingCost:
    """Time the compiled loop that trains, one device's members at work and all others resting.

    A repeat takes as many steps as fill `SECONDS_A_REPEAT`. The rates are zero meanwhile: a member
    that diverged would rest too.
    """
    first, width = program.first_slice(), program.slice_width
    states = first.place(fresh[: first.members])
    compiled, compile_time = compile_seconds(first.lower(states))
    still = [hyper._replace(learning_rate=0.0, weight_decay=0.0) for hyper in first.hypers]
    until = np.zeros(first.members, np.int32)

    def steps(n: int) -> Any:
        nonlocal states
        until[:width] += n
        states, sums = first.advance(states, until, still)
        return sums

    once = seconds(steps, 1, repeats=2).median
    n = int(np.clip(SECONDS_A_REPEAT / once, 1, program.experiment.most_steps))
    whole = seconds(steps, n, repeats=REPEATS)
    median, q25, q75 = (quantile / (n * width) for quantile in whole[:3])
    return TrainingCost(
        Timing(median, q25, q75, whole.repeats), compile_time, program_bytes(compiled)
    )
