"""The costs that a report shows: where they stand in cost.json, their names, and the unit shown."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Axis(NamedTuple):
    """A cost.

    Attributes:
        key: its name in cost.json.
        name: in a sentence ("best against training FLOPs").
        label: beside an axis, with its unit.
        heading: above a column of a table, and `unit` below it.
        scale: shown is the recorded value times this.
        spread: of a cost that is measured, not counted, the relative standard deviation between
            measurements of one program, as the 18 programs tell that were measured twice in
            `experiments/budgets`. It stands for that of a study that holds too few repetitions.
            Decoding and prefill were timed otherwise then, and vary less since.
    """

    key: str
    name: str
    label: str
    heading: str
    unit: str
    scale: float
    spread: float = 0.0


def measured(axes: Iterable[Axis]) -> list[Axis]:
    """Those that are measured, not counted."""
    return [axis for axis in axes if axis.spread]


_STEP = Axis("step_seconds", "training step time", "training step, ms", "Step", "ms", 1e3, 0.13)
_DECODING = Axis(
    "decode_seconds_per_token",
    "decoding time",
    "decoding, µs per token",
    "Decoding",
    "µs/token",
    1e6,
    0.47,
)
_PREFILL = Axis(
    "prefill_seconds", "prefill time", "prefill, ms per sequence", "Prefill", "ms", 1e3, 0.22
)
_PROGRAM = Axis("program_bytes", "program size", "program, MB", "Program", "MB", 1e-6)

COMPARED = (
    Axis("parameters", "parameters", "parameters", "Parameters", "", 1),
    Axis("carry_bytes", "carry size", "carry of one sequence, bytes", "Carry", "bytes", 1),
    Axis(
        "training_flops_per_token",
        "training FLOPs",
        "training FLOPs per token",
        "Training",
        "FLOPs/token",
        1,
    ),
    Axis(
        "inference_flops_per_token",
        "inference FLOPs",
        "inference FLOPs per token",
        "Inference",
        "FLOPs/token",
        1,
    ),
    _STEP,
    _DECODING,
)
"""Costs that models are compared on: each has a figure and a Pareto front."""

TABLED = (
    *COMPARED,
    _PREFILL,
    Axis("compile_seconds", "compilation time", "compilation, s", "Compilation", "s", 1, 0.09),
    _PROGRAM,
    Axis(
        "training_sequential_depth",
        "sequential depth",
        "dependent operations of a training step",
        "Depth",
        "operations",
        1,
    ),
)
"""Costs that stand in the table."""

GROWING = (
    _STEP,
    _PREFILL,
    _DECODING,
    _PROGRAM,
    Axis(
        "training_flops_per_step",
        "FLOPs of a training step",
        "training step, FLOPs",
        "Training",
        "FLOPs/step",
        1,
    ),
)
"""Costs whose growth with the length of sequences and the width of a model is told."""

NUMBERS = (
    *(axis.key for axis in TABLED),
    *("recurrent_parameters", "embedding_parameters", "readout_parameters", "context_length"),
    *("model_inference_flops_per_token", "model_training_flops_per_token"),
    *("model_inference_flops_per_step", "model_training_flops_per_step"),
    *("inference_flops_per_step", "training_flops_per_step", "decode_flops_per_token"),
    *("inference_sequential_depth", "padding_share", "slice_width", "first_step_seconds"),
    *("step_seconds_q25", "step_seconds_q75", "tokens_per_second"),
    *("prefill_tokens_per_second", "decode_tokens_per_second"),
    *("peak_device_bytes", "peak_resident_bytes", "step_joules"),
)
"""Every number that cost.json may hold."""
