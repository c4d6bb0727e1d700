"""What a model costs on a task, measured alone before it trains."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from seqexp.costs.decoding import decode_seconds, prefill_seconds
from seqexp.costs.depth import jaxpr_depth
from seqexp.costs.energy import joules_since, read_counters
from seqexp.costs.figures import Figures
from seqexp.costs.flops import count, count_jaxpr
from seqexp.costs.ledger import CostLedger
from seqexp.costs.memory import (
    carry_bytes_by_layer,
    peak_device_bytes,
    program_bytes,
    working_bytes,
)
from seqexp.costs.memory_needed import TooLarge, require_program
from seqexp.costs.model_flops import TRAINING, model_flops
from seqexp.costs.parameters import count_parameters
from seqexp.costs.timing import Timing, compile_seconds, one_run, seconds
from seqexp.training import Experiment, Hyper, Program
from seqexp.training.batches import mean_tokens
from seqexp.training.step import MemberState, train_step
from seqexp.types import Batch, SeqexpError, Splits

REPEATS = 9
SECONDS_A_REPEAT = 0.15
DECODE_STEPS = 500
DECODE_BATCH = 32
PREFILL_SECONDS = 0.1

CANNOT_DECODE = "the model reads whole sequences only and cannot decode"
"""The one reason that is in a model's nature, so that nobody is told of it."""

TIMES = (
    *("compile_seconds", "first_step_seconds", "step_seconds", "step_seconds_q25"),
    *("step_seconds_q75", "step_seconds_at_width", "tokens_per_second", "program_bytes"),
    *("peak_device_bytes", "step_joules"),
)
"""What `training_cost` measures."""


class TrainingCost(NamedTuple):
    """What training costs at a slice width.

    Attributes:
        step: seconds of a step of a slice, over the members that are side by side in it.
        compile_seconds: of the program that trains.
        program_bytes: of the same program.
        first_step_seconds: of the first step of a slice.
        device_bytes: the allocator's peak on one device, if these steps set it.
        joules: of a step, over the members that are side by side in it.
        reasons: why one of these is not known, by its name in the ledger.
    """

    step: Timing
    compile_seconds: float
    program_bytes: int | None
    first_step_seconds: float | None = None
    device_bytes: int | None = None
    joules: float | None = None
    reasons: Mapping[str, str] | None = None


def measure_costs(
    program: Program, fresh: Sequence[MemberState], splits: Splits, widths: Sequence[int]
) -> tuple[Program, CostLedger]:
    """The group's program at its fastest slice width, and the ledger of one member of it.

    A token is a true step, padding is not. What training costs is taken on training's own batches,
    what inference costs on the validation split. What can't be found is null, with its reason.

    Args:
        program: of the group, at any width.
        fresh: all members before their first step.
        splits: the task's data.
        widths: the slice widths to try, narrow ones first.
    """
    figures = Figures()
    program = _training_times(figures, program, fresh, splits, widths)
    params, split = jax.device_put(fresh[0].params), splits.valid
    model = nnx.merge(program.graphdef, params)
    tokens = mean_tokens(splits.train, program.experiment.batch_size)
    figures.take(
        "parameters recurrent_parameters embedding_parameters readout_parameters",
        count_parameters,
        params,
    )
    figures.take("context_length carry_bytes carry_bytes_by_layer", _carry, model, split)
    _model_flops(figures, model, program.batch, tokens, split)
    _training_flops(figures, program, fresh[0], tokens)
    _inference_flops(figures, program, fresh[0], split)
    _inference_times(figures, model, split)
    return program, CostLedger(**figures.found, reasons=figures.reasons)


def not_known(ledger: CostLedger) -> list[str]:
    """A line for each reason why figures are null, for people; none for what no one can mend."""
    figures: dict[str, list[str]] = {}
    for name, why in ledger.reasons.items():
        if why != CANNOT_DECODE:
            figures.setdefault(why, []).append(name)
    return [f"costs not known: {', '.join(names)} ({why})" for why, names in figures.items()]


def training_flops(
    experiment: Experiment, graphdef: nnx.GraphDef, state: MemberState, batch: Batch
) -> int:
    """FLOPs of one training step on a batch; shapes in place of arrays do."""
    return count(_training_step(experiment, graphdef), state, batch).total


def _training_times(
    figures: Figures,
    program: Program,
    fresh: Sequence[MemberState],
    splits: Splits,
    widths: Sequence[int],
) -> Program:
    """The program at its fastest slice width, and what it takes there."""
    try:
        program, training, tried = _fastest(program, fresh, widths)
    except Exception as error:
        if _exhausted(error):
            raise  # Training would need the same memory.
        program = program.at_width(widths[0])
        figures.found["slice_width"] = program.slice_width
        figures.lack(TIMES, error)
        return program
    tokens = mean_tokens(splits.train, program.experiment.batch_size)
    figures.found |= {
        "slice_width": program.slice_width,
        "compile_seconds": training.compile_seconds,
        "first_step_seconds": training.first_step_seconds,
        "step_seconds": training.step.median,
        "step_seconds_q25": training.step.q25,
        "step_seconds_q75": training.step.q75,
        "step_seconds_at_width": {str(width): step for width, step in tried.items()},
        "tokens_per_second": tokens / training.step.median,
        "program_bytes": training.program_bytes,
        "peak_device_bytes": training.device_bytes,
        "step_joules": training.joules,
    }
    figures.reasons |= training.reasons or {}
    return program


def _carry(model: Any, split: Batch) -> tuple[int, int, dict[str, int]]:
    context_length = split.inputs.shape[1]
    places = carry_bytes_by_layer(model, split.inputs[:1, 0], context_length)
    return context_length, sum(places.values()), places


def _model_flops(figures: Figures, model: Any, batch: Batch, tokens: float, split: Batch) -> None:
    """Of the equations, at the mean length: a recurrent model's FLOPs are linear in the length."""
    size, read = batch.lengths.shape[0], float(np.mean(np.asarray(split.lengths)))

    def forward(length: float, times: float, tokens: float) -> tuple[float, float]:
        steps = max(1, round(length))
        inputs = jax.ShapeDtypeStruct((1, steps, *split.inputs.shape[2:]), split.inputs.dtype)
        flops = times * (model_flops(model, inputs).total / steps)
        return flops, flops * tokens

    inference = "model_inference_flops_per_token model_inference_flops_per_step"
    figures.take(inference, forward, read, 1, size * read)
    training = "model_training_flops_per_token model_training_flops_per_step"
    figures.take(training, forward, tokens / size, TRAINING, tokens)


def _training_flops(figures: Figures, program: Program, state: MemberState, tokens: float) -> None:
    """Of the program on one of training's own batches, and its depth, on the same jaxpr."""
    step = _training_step(program.experiment, program.graphdef)
    trace = cache(partial(jax.make_jaxpr(step), state, program.batch))

    def flops() -> tuple[float, int, dict[str, int]]:
        counted = count_jaxpr(trace())
        return counted.total / tokens, counted.total, asdict(counted)

    names = "training_flops_per_token training_flops_per_step training_flops_by_kind"
    figures.take(names, flops)
    figures.take("training_sequential_depth", lambda: jaxpr_depth(trace()))


def _inference_flops(figures: Figures, program: Program, state: MemberState, split: Batch) -> None:
    """Of the program on a batch like those of a split, and its depth, on the same jaxpr."""
    graphdef, size = program.graphdef, program.experiment.batch_size
    batch = jax.tree.map(lambda a: jax.ShapeDtypeStruct((size, *a.shape[1:]), a.dtype), split)

    def forward(params: Any, batch: Batch) -> Any:
        return nnx.merge(graphdef, params)(batch.inputs, batch.lengths).outputs

    trace = cache(partial(jax.make_jaxpr(forward), state.params, batch))

    def flops() -> tuple[float, int]:
        counted = count_jaxpr(trace()).total
        return counted / (size * float(np.mean(np.asarray(split.lengths)))), counted

    figures.take("inference_flops_per_token inference_flops_per_step", flops)
    figures.take("inference_sequential_depth", lambda: jaxpr_depth(trace()))
    figures.take("decode_flops_per_token", _decode_flops, graphdef, state.params, split)


def _decode_flops(graphdef: nnx.GraphDef, params: Any, split: Batch) -> int:
    def step(params: Any, inputs: Any) -> Any:
        model = nnx.merge(graphdef, params)
        return model.step(model.initial_carry(1), inputs)

    try:
        jaxpr = jax.make_jaxpr(step)(params, split.inputs[:1, 0])
    except SeqexpError as error:
        raise SeqexpError(CANNOT_DECODE) from error
    return count_jaxpr(jaxpr).total


def _inference_times(figures: Figures, model: Any, split: Batch) -> None:
    length = split.inputs.shape[1]
    first_steps = np.asarray(split.inputs[:DECODE_BATCH, 0])
    many = jnp.asarray(np.resize(first_steps, (DECODE_BATCH, *first_steps.shape[1:])))

    def prefill() -> tuple[float, float]:
        whole = jnp.full(1, length)
        took = prefill_seconds(model, split.inputs[:1], whole, spend=PREFILL_SECONDS)
        return took, length / took

    figures.take("prefill_seconds prefill_tokens_per_second", prefill)

    def decode(inputs: Any) -> float:
        took = decode_seconds(model, inputs, steps=DECODE_STEPS)
        if took is None:
            raise SeqexpError(CANNOT_DECODE)
        return took

    figures.take("decode_seconds_per_token", decode, many[:1])
    figures.take("decode_tokens_per_second", lambda: DECODE_BATCH / decode(many))


def _training_step(experiment: Experiment, graphdef: nnx.GraphDef) -> Callable[..., Any]:
    def step(state: MemberState, batch: Batch) -> Any:
        return train_step(experiment, graphdef, state, Hyper(0, 0.0, 0.0, 0.0), batch)

    return step


def _fastest(
    program: Program, fresh: Sequence[MemberState], widths: Sequence[int]
) -> tuple[Program, TrainingCost, dict[int, float]]:
    """The width at which a step of the whole group takes the least time, and what each took."""
    tried: dict[int, float] = {}
    best: tuple[float, Program, TrainingCost] | None = None
    for width in widths:
        candidate = program.at_width(width)
        try:
            cost = training_cost(candidate, fresh)
        except (TooLarge, jax.errors.JaxRuntimeError) as error:
            if best is None or not _exhausted(error):
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


def _exhausted(error: Exception) -> bool:
    return isinstance(error, TooLarge) or "RESOURCE_EXHAUSTED" in str(error)


def training_cost(program: Program, fresh: Sequence[MemberState]) -> TrainingCost:
    """Time the compiled loop that trains, one device's members at work and all others resting.

    A repeat takes as many steps as fill `SECONDS_A_REPEAT`. The rates are zero meanwhile: a member
    that diverged would rest too.

    Raises:
        TooLarge: the program needs more memory than there is; it has not run.
    """
    first, width = program.first_slice(), program.slice_width
    device = program.mesh.devices.flat[0]
    beside = Figures()
    held_before = beside.take("peak_device_bytes", peak_device_bytes, device)
    states = first.place(fresh[: first.members])
    compiled, compile_time = compile_seconds(first.lower(states))
    require_program(beside.take("program_bytes", working_bytes, compiled), program.mesh)
    still = [hyper._replace(learning_rate=0.0, weight_decay=0.0) for hyper in first.hypers]
    until = np.zeros(first.members, np.int32)

    def steps(n: int) -> Any:
        nonlocal states
        until[:width] += n
        states, sums = first.advance(states, until, still)
        return sums

    first_step = one_run(steps, 1)
    once = seconds(steps, 1, repeats=2).median
    n = int(np.clip(SECONDS_A_REPEAT / once, 1, program.experiment.most_steps))
    counters = beside.take("step_joules", read_counters)
    whole = seconds(steps, n, repeats=REPEATS)
    joules = None if counters is None else beside.take("step_joules", joules_since, counters)
    median, q25, q75 = (quantile / (n * width) for quantile in whole[:3])
    held = beside.take("peak_device_bytes", peak_device_bytes, device)
    # `seconds` makes one more run than it times.
    trained = (whole.repeats + 1) * n * width
    return TrainingCost(
        Timing(median, q25, q75, whole.repeats),
        compile_time,
        beside.take("program_bytes", program_bytes, compiled),
        first_step_seconds=first_step,
        device_bytes=held if held != held_before else None,
        joules=None if joules is None else joules / trained,
        reasons=beside.reasons,
    )
