"""All figures of an inspection, and all figures over training, by their names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from seqexp.analysis.figures import file_name
from seqexp.inspection.figures.gates import (
    Gate,
    draw_histogram,
    draw_saturation,
    draw_time_constants,
)
from seqexp.inspection.figures.gradients import draw_gradient, draw_jacobians, draw_lyapunov
from seqexp.inspection.figures.memory import draw_memory, draw_perturbation
from seqexp.inspection.figures.outputs import (
    draw_attention,
    draw_confusion,
    draw_predictions,
    draw_saliency,
)
from seqexp.inspection.figures.panel import add_legend, panel
from seqexp.inspection.figures.shared import Shared, projected, true_steps
from seqexp.inspection.figures.states import draw_paths, draw_states
from seqexp.inspection.figures.training import SCALARS, draw_over_training
from seqexp.runs.inspections import numbers, of_kind

Arrays = Mapping[str, np.ndarray]


class Picture(NamedTuple):
    """A figure of an inspection.

    Attributes:
        name: of its files, without their ending: the same at every step.
        part: what it belongs to: "Hidden states", "Gates", "Gradients", "Memory", "Outputs" or
            "Over training".
        caption: its title in one line.
        figure: as matplotlib has it.
    """

    name: str
    part: str
    caption: str
    figure: Figure


class _Plan(NamedTuple):
    """What is to be drawn: the words of the file's name, what draws it on axes, and of what."""

    name: tuple[str, ...]
    draw: Callable[..., Mapping[str, Any] | None]
    of: tuple[Any, ...]


def pictures(
    arrays: Arrays, line: Mapping[str, Any], shared: Shared, kinds: Sequence[str] = ()
) -> Iterator[Picture]:
    """The figures of one inspection; what was not recorded has none.

    To be used inside `matplotlib.rc_context(FRAME)`.

    Args:
        arrays: of the inspection, see `read_arrays`.
        line: of the inspection, see `read_inspections`.
        shared: what the figures of all steps share.
        kinds: the first words of the names of those that are drawn; all without any.
    """
    parts = {
        "Hidden states": _states(arrays, line["step"], shared),
        "Gates": _gates(arrays, line["step"]),
        "Gradients": _gradients(arrays, line, shared),
        "Memory": _memory(arrays, line),
        "Outputs": _outputs(arrays, line),
    }
    for part, plans in parts.items():
        for plan in plans:
            if not kinds or plan.name[0] in kinds:
                yield _picture(part, plan)


def training_pictures(lines: Sequence[Mapping[str, Any]]) -> Iterator[Picture]:
    """The figures over training, of the kinds of numbers that any of the inspections tells.

    To be used inside `matplotlib.rc_context(FRAME)`.
    """
    steps = [line["step"] for line in lines]
    for kind in SCALARS:
        found = [numbers(line, kind) for line in lines]
        names = dict.fromkeys(name for one in found for name in one)
        curves = {name: [one.get(name, float("nan")) for one in found] for name in names}
        if any(np.isfinite(curve).any() for curve in curves.values()):
            plan = _Plan(("training", kind), draw_over_training, (kind, steps, curves))
            yield _picture("Over training", plan)


def _picture(part: str, plan: _Plan) -> Picture:
    figure, ax = panel()
    add_legend(figure, plan.draw(ax, *plan.of) or {})
    return Picture(file_name(*plan.name), part, _in_one_line(ax.get_title("left")), figure)


def _in_one_line(title: str) -> str:
    what, where = title.split("\n", 1)
    return f"{what}: {where}".replace("\n", " ")


def _states(arrays: Arrays, step: int, shared: Shared) -> Iterator[_Plan]:
    for name, hidden in of_kind(arrays, "hidden").items():
        layer, mask = shared.layers[name], true_steps(arrays, f"hidden/{name}")
        yield _Plan(("hidden", name), draw_states, (hidden[0], mask[0], layer, name, step))
        if layer.components is not None:
            points = projected(layer.components, hidden, mask)
            for by, colour in _colours(arrays, hidden.shape[:2]).items():
                of = points, colour, by, layer, name, step
                yield _Plan(("paths", by.split()[0], name), draw_paths, of)


def _colours(arrays: Arrays, shape: tuple[int, ...]) -> dict[str, np.ndarray]:
    """What the steps `[n, T]` of paths can be coloured by."""
    n, steps = shape
    found = {"time step": np.broadcast_to(1 + np.arange(steps), shape)}
    targets, inputs = arrays.get("targets"), arrays.get("inputs")
    if targets is not None and targets.size == n:
        found["target"] = np.broadcast_to(targets.reshape(n, 1), shape)
    if inputs is None or inputs.shape[:2] != shape:
        return found
    if inputs.ndim == 2:
        return found | {"input token": inputs}
    varies = int(np.argmax(np.var(inputs.reshape(-1, inputs.shape[-1]), axis=0)))
    number = f" {varies + 1}" if inputs.shape[-1] > 1 else ""
    return found | {f"input feature{number}": inputs[..., varies]}


def _gates(arrays: Arrays, step: int) -> Iterator[_Plan]:
    bounds = of_kind(arrays, "bounds")
    for name, shares in of_kind(arrays, "histogram").items():
        layer, gate = name.rsplit("/", 1)
        if name in bounds and np.isfinite(bounds[name]).all():
            yield _Plan(
                ("gate", gate, layer), draw_histogram, (shares, bounds[name], gate, layer, step)
            )
    by_layer: dict[str, dict[str, Gate]] = {}
    for name, values in of_kind(arrays, "activation").items():
        layer, gate = name.rsplit("/", 1)
        if name in bounds and np.isfinite(bounds[name]).any():
            mask = true_steps(arrays, f"activation/{name}")
            by_layer.setdefault(layer, {})[gate] = Gate(values, mask, bounds[name])
    for layer, found in by_layer.items():
        yield _Plan(("saturation", layer), draw_saturation, (found, layer, step))
    for layer, constants in of_kind(arrays, "time_constants").items():
        yield _Plan(("time-constants", layer), draw_time_constants, (constants, layer, step))


def _gradients(arrays: Arrays, line: Mapping[str, Any], shared: Shared) -> Iterator[_Plan]:
    step, half_lives, bounds = (
        line["step"],
        numbers(line, "half_life"),
        of_kind(arrays, "pascanu_bound"),
    )
    for layer, quartiles in of_kind(arrays, "gradient_by_lag").items():
        fit = half_lives.get(layer), bounds.get(layer), shared.gradients[layer]
        yield _Plan(("gradient", layer), draw_gradient, (quartiles, *fit, layer, step))
    products: dict[str, dict[int, np.ndarray]] = {}
    for name, values in of_kind(arrays, "jacobian").items():
        layer, lag = name.rsplit("/", 1)
        products.setdefault(layer, {})[int(lag)] = values
    for layer, by_lag in products.items():
        yield _Plan(("jacobian", layer), draw_jacobians, (by_lag, layer, step))
    for layer, exponents in of_kind(arrays, "lyapunov").items():
        if not np.isfinite(exponents).any():  # No sequence is long enough.
            continue
        yield _Plan(("lyapunov", layer), draw_lyapunov, (exponents, layer, step))


def _memory(arrays: Arrays, line: Mapping[str, Any]) -> Iterator[_Plan]:
    step, capacities = line["step"], numbers(line, "memory_capacity")
    if curves := of_kind(arrays, "memory"):
        yield _Plan(("memory",), draw_memory, (curves, capacities, step))
    if traces := of_kind(arrays, "perturbation"):
        yield _Plan(("perturbation",), draw_perturbation, (traces, step))


def _outputs(arrays: Arrays, line: Mapping[str, Any]) -> Iterator[_Plan]:
    step, outputs, targets = line["step"], arrays.get("outputs"), arrays.get("targets")
    if "confusion" in arrays:
        yield _Plan(("confusion",), draw_confusion, (arrays["confusion"], step))
    elif outputs is not None and targets is not None and outputs.size == targets.size:
        given = outputs.reshape(targets.shape)
        if outputs.ndim == 3:  # An answer at each step; those at padding are none.
            real = true_steps(arrays, "outputs")
            given, targets = given[real], targets[real]
        yield _Plan(("predictions",), draw_predictions, (given.ravel(), targets.ravel(), step))
    if "saliency" in arrays:
        mask = true_steps(arrays, "saliency")
        yield _Plan(("saliency",), draw_saliency, (arrays["saliency"], mask, step))
    if "attention" in arrays:
        tokens = line.get("attention_tokens")
        yield _Plan(("attention",), draw_attention, (arrays["attention"][0], step, tokens))
