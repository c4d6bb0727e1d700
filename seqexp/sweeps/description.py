"""The lines printed about a group before it trains."""

from __future__ import annotations

from seqexp.costs.ledger import CostLedger
from seqexp.matching.budgets import AXES
from seqexp.sweeps.groups import Group
from seqexp.training.mesh import AUTO
from seqexp.types import TaskSpec, Tokens


def describe(group: Group, ledger: CostLedger) -> str:
    """A group's size, and what was measured of it and chosen for it."""
    experiment = group.experiment
    width = group.members[0].point.config["model"].get("features")
    return (
        f"width {width}, {_count(ledger.parameters)} parameters, {_vectors(experiment.task.spec)}"
        f"{_times(ledger)}; {experiment.steps:,} steps"
        f"{_describe_mesh(group, ledger)}{_describe_match(group, ledger)}"
    )


def _vectors(spec: TaskSpec) -> str:
    """For how many of its tokens a task has vectors."""
    if not isinstance(spec.inputs, Tokens) or spec.inputs.vectors is None:
        return ""
    return f"vectors of {spec.inputs.vectors.known.sum():,} of {spec.inputs.size:,} tokens, "


def _count(number: int | None) -> str:
    return "unknown" if number is None else f"{number:,}"


def _times(ledger: CostLedger) -> str:
    if ledger.step_seconds is None:
        return "not timed"
    seconds = ledger.compile_seconds
    compiled = "compiled ahead" if seconds is None else f"compiled in {seconds:.1f} s"
    return f"{1e3 * ledger.step_seconds:.2f} ms a step, {compiled}"


def _describe_mesh(group: Group, ledger: CostLedger) -> str:
    """The mesh that was chosen automatically, if there was a choice."""
    said = f"; batch_devices={AUTO} is {group.batch_devices}" if group.auto else ""
    if group.auto and ledger.training_flops_per_step is None:
        said += ", for its FLOPs are not known"
    tried = ledger.step_seconds_at_width or {}
    if len(tried) > 1:
        times = ", ".join(f"{1e3 * step:.2f} ms at {width}" for width, step in tried.items())
        said += f"; {ledger.slice_width} side by side (a step and member takes {times})"
    return said


def _describe_match(group: Group, ledger: CostLedger) -> str:
    """Whether a step still takes the time that its width was solved for."""
    match = group.members[0].point.match
    if match is None or not AXES[match["by"]].measured or ledger.slice_width != 1:
        return ""
    if ledger.step_seconds is None:
        return ""
    off = ledger.step_seconds / match["budget"] - 1
    if abs(off) <= match["tolerance"]:
        return ""
    return f"; measured again it is {off:+.0%} off its budget: is the machine idle?"
