"""What a model costs on a task, measured alone before it trains."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from seqexp.costs.counting import (
    CANNOT_DECODE,
    Held,
    count_inference,
    count_model,
    count_training,
)
from seqexp.costs.decoding import decode_rounds, prefill_rounds
from seqexp.costs.energy import joules_since, own_counters
from seqexp.costs.figures import Figures
from seqexp.costs.ledger import CostLedger
from seqexp.costs.memory import (
    peak_device_bytes,
    program_bytes,
    working_bytes,
)
from seqexp.costs.memory_needed import TooLarge, require_program
from seqexp.costs.timing import Timing, compile_seconds, one_run, quietest, seconds
from seqexp.training import Program
from seqexp.training.batches import mean_tokens
from seqexp.training.precision import Precision
from seqexp.training.step import MemberState
from seqexp.types import (
    Batch,
    SeqexpError,
    Sequences,
    Splits,
)

COMPILED_AHEAD = (
    "it was compiled while the group before it trained; executor.compile_ahead=false measures it"
)

REPEATS, FEW_REPEATS = 9, 5
"""Of a step's time; few of trainings so short that more would take longer than they do."""

SECONDS_A_REPEAT = 0.15
DECODE_STEPS = 100
DECODE_BATCH = 32
INFERENCE_SECONDS = 0.1
"""Spent on each of the three times of inference."""

PREFILL = "prefill_seconds", "prefill_tokens_per_second"
ONE = ("decode_seconds_per_token",)
MANY = ("decode_tokens_per_second",)
"""What is told of a whole sequence, of a step of one sequence, and of `DECODE_BATCH`."""

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
        compile_seconds: of the program that trains; None where that was not alone.
        program_bytes: of the same program.
        first_step_seconds: of the first step of a slice.
        device_bytes: the allocator's peak on one device, if these steps set it.
        joules: of a step, over the members that are side by side in it.
        reasons: why one of these is not known, by its name in the ledger.
    """

    step: Timing
    compile_seconds: float | None
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
    count_model(figures, model, program, splits, held)
    count_training(figures, program, fresh[0], splits)
    count_inference(figures, program, model, held)
    _inference_times(figures, model, held, program.experiment.precision)
    return program, CostLedger(**figures.found, reasons=figures.reasons)


def not_known(ledger: CostLedger) -> list[str]:
    """One line for each reason why figures are null, except reasons that no one can change."""
    figures: dict[str, list[str]] = {}
    for name, why in ledger.reasons.items():
        if why not in (CANNOT_DECODE, COMPILED_AHEAD):
            figures.setdefault(why, []).append(name)
    return [f"costs not known: {', '.join(names)} ({why})" for why, names in figures.items()]


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


def _inference_times(figures: Figures, model: Any, held: Held, precision: Precision) -> None:
    def whole(batch_size: int) -> Batch:
        batch = held.first(batch_size)

        def full(read: Sequences) -> Sequences:
            return read._replace(lengths=jnp.full_like(read.lengths, read.values.shape[1]))

        prefix = None if batch.prefix is None else full(batch.prefix)
        return batch._replace(inputs=full(batch.inputs), prefix=prefix)

    def decoding(batch_size: int) -> Callable[[], list[float]]:
        batch = whole(batch_size)
        step = held.next_step(batch)
        rounds = decode_rounds(model, batch.inputs, step, steps=DECODE_STEPS, precision=precision)
        if rounds is None:
            raise SeqexpError(CANNOT_DECODE)
        return rounds

    making: dict[tuple[str, ...], Callable[[], Callable[[], list[float]]]] = {
        PREFILL: lambda: prefill_rounds(model, whole(1), precision=precision),
        ONE: lambda: decoding(1),
        MANY: lambda: decoding(DECODE_BATCH),
    }
    tried = {names: figures.attempt(names, make) for names, make in making.items()}
    rounds = {names: each for names, each in tried.items() if each is not None}
    found = figures.attempt(
        [name for names in rounds for name in names],
        lambda: quietest(list(rounds.values()), INFERENCE_SECONDS * len(rounds)),
    )
    took = {} if found is None else dict(zip(rounds, found, strict=True))
    if PREFILL in took:
        rate = held.context_length / took[PREFILL]
        figures.found |= zip(PREFILL, (took[PREFILL], rate), strict=True)
    if ONE in took:
        figures.found |= zip(ONE, (took[ONE],), strict=True)
    if MANY in took:
        figures.found |= zip(MANY, (DECODE_BATCH / took[MANY],), strict=True)


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

    A repeat takes as many steps as fill `SECONDS_A_REPEAT`, and all repeats no more than training
    does, but `FEW_REPEATS` there are. The rates are zero meanwhile: a member that diverged would
    rest too.

    Raises:
        TooLarge: the program needs more memory than there is; it has not run.
    """
    first, width = program.first_slice(), program.slices.width
    device = program.mesh.devices.flat[0]
    beside = Figures()
    held_before = beside.take("peak_device_bytes", peak_device_bytes, device)
    states = first.place(fresh[: first.members])
    compiled, compile_time = compile_seconds(first.lower(states))
    if program.compiled_ahead:
        compile_time = None
        beside.lack(["compile_seconds"], COMPILED_AHEAD)
    working = beside.take("program_bytes", working_bytes, compiled)
    require_program(working, program.members, program.mesh)
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
    counters = beside.take("step_joules", own_counters)
    repeats = int(np.clip(program.experiment.steps // n, FEW_REPEATS, REPEATS))
    whole = seconds(steps, n, repeats=repeats)
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
