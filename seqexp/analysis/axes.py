"""The costs that a report shows: where they stand in cost.json, their names, and the unit shown."""

from __future__ import annotations

from typing import NamedTuple


class Axis(NamedTuple):
    """A cost.

    Attributes:
        key: its name in cost.json.
        name: in a sentence ("best against training FLOPs").
        label: beside an axis, with its unit.
        heading: above a column of a table, and `unit` below it.
        scale: shown is the recorded value times this.
    """

    key: str
    name: str
    label: str
    heading: str
    unit: str
    scale: float


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
    Axis("step_seconds", "training step time", "training step, ms", "Step", "ms", 1e3),
    Axis(
        "decode_seconds_per_token",
        "decoding time",
        "decoding, µs per token",
        "Decoding",
        "µs/token",
        1e6,
    ),
)
"""Costs that models are compared on: each has a figure and a Pareto front."""

TABLED = (
    *COMPARED,
    Axis("compile_seconds", "compilation time", "compilation, s", "Compilation", "s", 1),
    Axis("program_bytes", "program size", "program, MB", "Program", "MB", 1e-6),
)
"""Costs that stand in the table."""

NUMBERS = (
    *(axis.key for axis in TABLED),
    *("recurrent_parameters", "embedding_parameters", "readout_parameters"),
    *("step_seconds_q25", "step_seconds_q75", "tokens_per_second"),
)
"""Every number that cost.json may hold."""
