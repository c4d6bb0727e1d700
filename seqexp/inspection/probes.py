"""The probes of each level, in the order in which they are asked."""

from __future__ import annotations

from seqexp.inspection.flow_probes import gradients, jacobians, lyapunov
from seqexp.inspection.memory_probes import changed_input, memory
from seqexp.inspection.output_probes import confusion, outputs, saliency
from seqexp.inspection.probe import Probe
from seqexp.inspection.state_probes import states
from seqexp.types import Batch, Task


def light_probes(task: Task, counted: Batch) -> dict[str, Probe]:
    """States, gates and outputs, by what they are called.

    Args:
        task: that the model was built for.
        counted: chunks of examples for the confusion matrix.
    """
    return {
        "hidden": states,
        "outputs": outputs(task.spec),
        "confusion": confusion(task.spec, counted),
    }


def full_probes(task: Task) -> dict[str, Probe]:
    """What "full" asks beside: how far gradients and memory reach."""
    return {
        "gradient_by_lag": gradients(task),
        "jacobian": jacobians,
        "lyapunov": lyapunov,
        "memory": memory(task.spec),
        "perturbation": changed_input(task.spec),
        "saliency": saliency(task.spec),
    }
