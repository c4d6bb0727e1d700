"""What a point's model costs on random sequences of any length, apart from its task's data."""

from __future__ import annotations

from dataclasses import replace

import jax
import numpy as np

from seqexp.costs.figures import Figures
from seqexp.costs.ledger import CostLedger
from seqexp.costs.measure import measure_costs
from seqexp.costs.memory_needed import require_room
from seqexp.costs.random_task import RandomTask
from seqexp.costs.resident import peak_resident_bytes
from seqexp.sweeps.point import Point
from seqexp.training import Program
from seqexp.training.mesh import AUTO, expose_cores, group_mesh
from seqexp.types import SeqexpError, Splits, first_line

STEPS = 3


def cost_at(point: Point, length: int) -> CostLedger:
    """The ledger of a point's model, trained as the point says, on random sequences.

    They have the form that the task asks for, and a loss of their own (`RandomTask`), so nothing is
    loaded. `trainer.batch_devices=auto` is 1 here.

    Args:
        point: its width solved.
        length: T.

    Raises:
        SeqexpError: for whatever is wrong in the config, or where it can't fit into memory.
    """
    program, splits = _program(point, length)
    return measure_costs(program, program.take(program.init()), splits, [1])[1]


def with_peak_resident(ledger: CostLedger, point: Point, length: int) -> CostLedger:
    """The ledger with `peak_resident_at`, or with the reason why there is none."""
    figures = Figures()
    peak = figures.take("peak_resident_bytes", peak_resident_at, point, length)
    reasons = {**ledger.reasons, **figures.reasons}
    return replace(ledger, peak_resident_bytes=peak, reasons=reasons)


def peak_resident_at(point: Point, length: int) -> int | None:
    """Peak resident set of a process that builds the same program and takes a few steps.

    None on an accelerator, whose memory this process may hold already.
    """
    if jax.default_backend() != "cpu":
        return None
    return peak_resident_bytes(_few_steps, point, length)


def _few_steps(point: Point, length: int) -> None:
    """In a process of its own, with the devices that training has."""
    expose_cores()
    program, _ = _program(point, length)
    states = program.init()
    for step in range(STEPS):
        states, _ = program.advance(states, np.full(1, step + 1))


def _program(point: Point, length: int) -> tuple[Program, Splits]:
    experiment = point.build()
    spec = replace(experiment.task.spec, max_length=length, trained_length=None)
    task = RandomTask(spec, experiment.batch_size)
    devices = point.config["trainer"]["batch_devices"]
    mesh = group_mesh(1, 1 if devices == AUTO else devices)
    try:
        require_room(experiment, 1, mesh)
        splits = task.load()
        program = Program.of(replace(experiment, task=task), splits, [point.hyper], mesh)
    except (TypeError, ValueError) as error:
        raise SeqexpError(
            f"{point.model} does not fit {point.task}: {first_line(error)}"
        ) from error
    return program, splits
