"""What `match` asks for: a budget of one of the costs that a width decides."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import jax
from flax import nnx

from seqexp.costs.counting import training_flops
from seqexp.costs.measure import training_cost
from seqexp.costs.memory import carry_bytes
from seqexp.costs.memory_needed import TooLarge, require_room
from seqexp.costs.parameters import count_all
from seqexp.training import Experiment, Hyper, Program
from seqexp.training.batches import mean_tokens
from seqexp.training.mesh import group_mesh
from seqexp.training.step import build, outline
from seqexp.types import SeqexpError, Splits


class Axis(NamedTuple):
    """A cost that widths can be solved for.

    Attributes:
        cost: of an experiment, given a way to its data and its `trainer.batch_devices`.
        unit: for people.
        number: writes a cost in that unit.
        measured: it is timed, not counted: noisy, and different at each measurement.
    """

    cost: Callable[[Experiment, Callable[[], Splits], int], float]
    unit: str
    number: Callable[[float], str] = "{:,.0f}".format
    measured: bool = False

    def shown(self, cost: float) -> str:
        return f"{self.number(cost)} {self.unit}"


@dataclass(frozen=True, kw_only=True)
class Budget:
    """A cost to meet.

    Attributes:
        by: the name of an axis.
        budget: in the axis's unit.
        multiple: what the width must be divisible by.
        tolerance: how far the cost may be from the budget, relative to it.
    """

    by: str
    budget: float
    multiple: int
    tolerance: float

    @classmethod
    def of(cls, match: Any) -> Budget:
        """The budget in a config's node.

        Raises:
            SeqexpError: for keys that are missing or unknown, and values out of their range.
        """
        names = {field.name for field in fields(cls)}
        if not isinstance(match, Mapping) or match.keys() != names:
            raise SeqexpError(
                f"match has {', '.join(sorted(names))} and nothing else, not {match!r}: start "
                f"from match={'|'.join(AXES)}"
            )
        if match["by"] not in AXES:
            raise SeqexpError(f"match.by must be one of {', '.join(AXES)}, not {match['by']!r}")
        _require("budget", match["budget"], lambda value: value > 0, "a number above 0")
        _require("tolerance", match["tolerance"], lambda value: value >= 0, "a number from 0 up")
        whole = "a whole number of at least 1"
        _require("multiple", match["multiple"], lambda n: type(n) is int and n > 0, whole)
        return cls(**match)

    @property
    def axis(self) -> Axis:
        return AXES[self.by]


def _require(name: str, value: Any, fits: Callable[[Any], bool], what: str) -> None:
    if type(value) not in (int, float) or not math.isfinite(value) or not fits(value):
        raise SeqexpError(f"match.{name} must be {what}, not {value!r}")


def parameters(experiment: Experiment, load: Callable[[], Splits], batch_devices: int) -> int:
    """Trained parameters, from shapes: the ledger's `parameters`."""
    return count_all(jax.eval_shape(lambda: nnx.state(build(experiment, 0))))


def carry(experiment: Experiment, load: Callable[[], Splits], batch_devices: int) -> int:
    """Bytes of the carry behind one sequence, from shapes: the ledger's `carry_bytes`."""
    inputs = experiment.task.spec.example(1).inputs
    sizes: list[int] = []
    jax.eval_shape(lambda: sizes.append(carry_bytes(build(experiment, 0), inputs)))
    return sizes[0]


def flops(experiment: Experiment, load: Callable[[], Splits], batch_devices: int) -> float:
    """FLOPs of a training step over the true steps in its batch, nothing of it computed: the
    ledger's `training_flops_per_token`.

        FLOPs of a step on a training batch / mean of the true steps in one

    Padding and the optimizer's update are in the FLOPs, and no padding in the divisor. The data is
    loaded, for its lengths and the types of its arrays.
    """
    stream, size = load().train, experiment.batch_size
    step = training_flops(experiment, *outline(experiment), stream)
    return step / mean_tokens(stream, size)


def step_time(experiment: Experiment, load: Callable[[], Splits], batch_devices: int) -> float:
    """Seconds of a training step of one member alone, compiled and measured now: the ledger's
    `step_seconds` at a slice width of 1.

    Raises:
        SeqexpError: if the step does not fit into the device's memory.
    """
    mesh = group_mesh(1, batch_devices)
    try:
        require_room(experiment, 1, mesh)
        program = Program.of(experiment, load(), [Hyper.example()], mesh)
        return training_cost(program, program.take(program.init())).step.median
    except (TooLarge, jax.errors.JaxRuntimeError) as error:
        if not isinstance(error, TooLarge) and "RESOURCE_EXHAUSTED" not in str(error):
            raise
        raise SeqexpError(
            "a training step that is still short of the budget does not fit into the device's "
            "memory: lower match.budget or trainer.batch_size"
        ) from error


def _milliseconds(seconds: float) -> str:
    return f"{1e3 * seconds:.3g}"


AXES: dict[str, Axis] = {
    "params": Axis(parameters, "parameters"),
    "flops": Axis(flops, "FLOPs a token"),
    "carry": Axis(carry, "bytes of carry"),
    "step_time": Axis(step_time, "ms a step", _milliseconds, measured=True),
}
