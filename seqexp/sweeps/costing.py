"""What a model costs on a task, measured alone before it trains."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from flax import nnx

from seqexp.costs.decoding import decode_seconds
from seqexp.costs.flops import count
from seqexp.costs.ledger import CostLedger
from seqexp.costs.memory import carry_bytes, program_bytes
from seqexp.costs.parameters import count_parameters
from seqexp.costs.timing import compile_seconds, seconds
from seqexp.training import GroupState, Program
from seqexp.training.step import MemberState, train_step
from seqexp.types import Batch, Splits

REPEATS = 9
SECONDS_A_REPEAT = 0.15
DECODE_STEPS = 100


def measure_costs(program: Program, states: GroupState, splits: Splits) -> CostLedger:
    """The ledger of one member of a group.

    The time of a step is that of the compiled loop that trains, with one member at work and the
    others resting, over as many steps a repeat as fill `SECONDS_A_REPEAT`. The rates are zero
    meanwhile: a member that diverged would rest too. A token is a true step, padding is not.
    """
    experiment = program.experiment
    compiled, compile_time = compile_seconds(program.lower(states))
    state = program.take(states)[0]
    until = state.step
    still = [hyper._replace(learning_rate=0.0, weight_decay=0.0) for hyper in program.hypers]

    def steps(n: int) -> Any:
        nonlocal states, until
        until = until + n
        resting = np.zeros(program.members - 1, np.int32)
        states, sums = program.advance(states, np.concatenate([[until], resting]), still)
        return sums

    once = seconds(steps, 1, repeats=2).median
    n = int(np.clip(SECONDS_A_REPEAT / once, 1, experiment.most_steps))
    step = seconds(steps, n, repeats=REPEATS)
    model = nnx.merge(program.graphdef, state.params)
    inference, training = _flops(program, state, splits.valid)
    tokens = experiment.batch_size * float(np.mean(splits.valid.lengths))
    first_inputs = splits.valid.inputs[:1, 0]
    sizes = count_parameters(state.params)
    return CostLedger(
        parameters=sizes.total,
        recurrent_parameters=sizes.recurrent,
        embedding_parameters=sizes.embedding,
        readout_parameters=sizes.readout,
        carry_bytes=carry_bytes(model),
        inference_flops_per_token=inference / tokens,
        training_flops_per_token=training / tokens,
        step_seconds=step.median / n,
        step_seconds_q25=step.q25 / n,
        step_seconds_q75=step.q75 / n,
        tokens_per_second=tokens * n / step.median,
        compile_seconds=compile_time,
        program_bytes=program_bytes(compiled),
        decode_seconds_per_token=decode_seconds(model, first_inputs, steps=DECODE_STEPS),
    )


def _flops(program: Program, state: MemberState, split: Batch) -> tuple[int, int]:
    """FLOPs of one batch's forward pass, and of one training step."""
    experiment, graphdef = program.experiment, program.graphdef
    batch = jax.tree.map(
        lambda a: jax.ShapeDtypeStruct((experiment.batch_size, *a.shape[1:]), a.dtype), split
    )

    def forward(params: Any, batch: Batch) -> Any:
        return nnx.merge(graphdef, params)(batch.inputs, batch.lengths).outputs

    def training(state: MemberState, batch: Batch) -> Any:
        return train_step(experiment, graphdef, state, program.hypers[0], batch)

    return count(forward, state.params, batch).total, count(training, state, batch).total
