"""What a model costs on a task, measured alone before it trains."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import cache, partial
from typing import Any, Literal, NamedTuple

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
from seqexp.training.batches import batch_shapes, bucket_shares, mean_tokens
from seqexp.training.step import MemberState, train_step
from seqexp.types import (
    Array,
    Batch,
    Bucket,
    SeqexpError,
    Sequences,
    Splits,
    Stream,
    TaskSpec,
)

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
    model = nnx.merge(program.graphdef, jax.device_put(fresh[0].params))
    held = Held.of(program.experiment.task.spec, splits)
    figures.take(
        "parameters recurrent_parameters embedding_parameters readout_parameters",
        count_parameters,
        model,
    )
    figures.take("context_length carry_bytes carry_bytes_by_layer", _carry, model, held)
    _model_flops(figures, model, program, splits, held)
    _training_flops(figures, program, fresh[0], splits)
    _inference_flops(figures, program, model, held)
    _inference_times(figures, model, held)
    return program, CostLedger(**figures.found, reasons=figures.reasons)


def not_known(ledger: CostLedger) -> list[str]:
    """One line for each reason why figures are null, except reasons that no one can change."""
    figures: dict[str, list[str]] = {}
    for name, why in ledger.reasons.items():
        if why != CANNOT_DECODE:
            figures.setdefault(why, []).append(name)
    return [f"costs not known: {', '.join(names)} ({why})" for why, names in figures.items()]


def training_flops(
    experiment: Experiment, graphdef: nnx.GraphDef, state: MemberState, stream: Stream
) -> float:
    """FLOPs of one training step, over the buckets by their shares; the state may be shapes."""
    step, size = _training_step(experiment, graphdef), experiment.batch_size
    batches, shares = batch_shapes(stream, size), bucket_shares(stream, size)
    return _by_share(shares, {b: count(step, state, batches[b]).total for b in batches})


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
        figures.found["slice_width"] = program.slices.width
        figures.lack(TIMES, error)
        return program
    tokens = mean_tokens(splits.train, program.experiment.batch_size)
    figures.found |= {
        "slice_width": program.slices.width,
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


class Held(NamedTuple):
    """What inference is measured on: the validation split.

    Attributes:
        spec: of the task.
        part: of its parts, the one of the longest inputs.
        inputs: true steps of an example's inputs in the mean.
        prefix: those of its prefix.
    """

    spec: TaskSpec
    part: Batch
    inputs: float
    prefix: float

    @classmethod
    def of(cls, spec: TaskSpec, splits: Splits) -> Held:
        """Of a task's data."""
        parts = splits.held_out["valid"]
        longest = max(parts, key=lambda part: part.inputs.values.shape[1])
        return cls(spec, longest, _mean_length(parts, "inputs"), _mean_length(parts, "prefix"))

    @property
    def tokens(self) -> float:
        """Mean number of true steps read of an example."""
        return self.inputs + self.prefix

    @property
    def context_length(self) -> int:
        """T."""
        return self.part.inputs.values.shape[1]

    def first(self, batch_size: int) -> Batch:
        """The first examples, repeated up to the given number."""
        return jax.tree.map(
            lambda a: jnp.asarray(np.resize(a[:batch_size], (batch_size, *a.shape[1:]))), self.part
        )

    def next_step(self, batch: Batch) -> Array:
        """The input of a decoding step: the first of the inputs, or of a free answer."""
        read = batch.inputs if batch.prefix is None else batch.prefix
        return read.values[:, 0]


def _mean_length(parts: Sequence[Batch], name: Literal["inputs", "prefix"]) -> float:
    read = [getattr(part, name) for part in parts]
    lengths = [np.asarray(each.lengths) for each in read if each is not None]
    return float(np.mean(np.concatenate(lengths))) if lengths else 0.0


def _carry(model: Any, held: Held) -> tuple[int, int, dict[str, int]]:
    places = carry_bytes_by_layer(model, held.spec.example(1, held.context_length).inputs)
    return held.context_length, sum(places.values()), places


def _model_flops(
    figures: Figures, model: Any, program: Program, splits: Splits, held: Held
) -> None:
    """Of the equations, at the mean length: a recurrent model's FLOPs are linear in the length."""
    size = program.experiment.batch_size
    tokens = mean_tokens(splits.train, size)

    def forward(length: float, times: float, tokens: float) -> tuple[float, float]:
        example = held.spec.example(1, max(1, round(length)))
        read = example.inputs.values.shape[1]
        if example.prefix is not None:
            steps = max(1, round(held.prefix))
            values = jax.ShapeDtypeStruct((1, steps), jnp.int32)
            example = example._replace(prefix=example.prefix._replace(values=values))
            read += steps
        flops = times * (model_flops(model, example).total / read)
        return flops, flops * tokens

    inference = "model_inference_flops_per_token model_inference_flops_per_step"
    figures.take(inference, forward, held.inputs, 1, size * held.tokens)
    training = "model_training_flops_per_token model_training_flops_per_step"
    shares = bucket_shares(splits.train, size)
    examples = _by_share(shares, {bucket: bucket.batch_size for bucket in shares})
    figures.take(training, forward, tokens / examples - held.prefix, TRAINING, tokens)


def _training_flops(figures: Figures, program: Program, state: MemberState, splits: Splits) -> None:
    """Of the program on training's own batches, and its depth, on the same jaxprs."""
    step, size = _training_step(program.experiment, program.graphdef), program.experiment.batch_size
    shares, tokens = bucket_shares(splits.train, size), mean_tokens(splits.train, size)
    trace = cache(lambda bucket: jax.make_jaxpr(step)(state, program.batches[bucket]))

    def flops() -> tuple[float, float, dict[str, float]]:
        counted = {bucket: asdict(count_jaxpr(trace(bucket))) for bucket in shares}
        kinds = next(iter(counted.values()))
        by_kind = {
            kind: _by_share(shares, {bucket: counted[bucket][kind] for bucket in shares})
            for kind in kinds
        }
        total = sum(by_kind.values())
        return total / tokens, total, by_kind

    names = "training_flops_per_token training_flops_per_step training_flops_by_kind"
    figures.take(names, flops)
    depth = "training_sequential_depth"
    figures.take(depth, lambda: max(jaxpr_depth(trace(bucket)) for bucket in shares))


def _by_share(shares: Mapping[Bucket, float], each: Mapping[Bucket, Any]) -> Any:
    """The mean over buckets, weighted by their shares; of one bucket the value itself."""
    if len(each) == 1:
        return next(iter(each.values()))
    return sum(shares[bucket] * value for bucket, value in each.items())


def _inference_flops(figures: Figures, program: Program, model: Any, held: Held) -> None:
    """Of the program on a batch like those of a split, and its depth, on the same jaxpr."""
    size, state = program.experiment.batch_size, nnx.state(model)
    batch = jax.tree.map(lambda a: jax.ShapeDtypeStruct((size, *a.shape[1:]), a.dtype), held.part)

    def forward(state: Any, batch: Batch) -> Any:
        return nnx.merge(program.graphdef, state)(batch.inputs, batch.prefix).outputs

    trace = cache(partial(jax.make_jaxpr(forward), state, batch))

    def flops() -> tuple[float, int]:
        counted = count_jaxpr(trace()).total
        return counted / (size * held.tokens), counted

    figures.take("inference_flops_per_token inference_flops_per_step", flops)
    figures.take("inference_sequential_depth", lambda: jaxpr_depth(trace()))
    figures.take("decode_flops_per_token", _decode_flops, program.graphdef, state, held)


def _decode_flops(graphdef: nnx.GraphDef, state: Any, held: Held) -> int:
    def step(state: Any, carry: Any, x: Any) -> Any:
        return nnx.merge(graphdef, state).step(carry, x)

    try:
        one = held.first(1)
        carry = jax.eval_shape(nnx.merge(graphdef, state).prefill, one.inputs)
        jaxpr = jax.make_jaxpr(step)(state, carry, held.next_step(one))
    except SeqexpError as error:
        raise SeqexpError(CANNOT_DECODE) from error
    return count_jaxpr(jaxpr).total


def _inference_times(figures: Figures, model: Any, held: Held) -> None:
    def whole(batch_size: int) -> Batch:
        batch = held.first(batch_size)

        def full(read: Sequences) -> Sequences:
            return read._replace(lengths=jnp.full_like(read.lengths, read.values.shape[1]))

        prefix = None if batch.prefix is None else full(batch.prefix)
        return batch._replace(inputs=full(batch.inputs), prefix=prefix)

    def prefill() -> tuple[float, float]:
        took = prefill_seconds(model, whole(1), spend=PREFILL_SECONDS)
        return took, held.context_length / took

    figures.take("prefill_seconds prefill_tokens_per_second", prefill)

    def decode(batch_size: int) -> float:
        batch = whole(batch_size)
        took = decode_seconds(model, batch.inputs, held.next_step(batch), steps=DECODE_STEPS)
        if took is None:
            raise SeqexpError(CANNOT_DECODE)
        return took

    figures.take("decode_seconds_per_token", decode, 1)
    figures.take("decode_tokens_per_second", lambda: DECODE_BATCH / decode(DECODE_BATCH))


def _training_step(experiment: Experiment, graphdef: nnx.GraphDef) -> Callable[..., Any]:
    def step(state: MemberState, batch: Batch) -> Any:
        return train_step(experiment, graphdef, state, Hyper.example(), batch)

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
        whole_group = candidate.slices.count * width * cost.step.median
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
    first, width = program.first_slice(), program.slices.width
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
