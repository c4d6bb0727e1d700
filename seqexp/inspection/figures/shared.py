"""What the figures of all steps of a run share, so that they can be compared: orders and axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from seqexp.inspection.principal_components import Components, fit_components, project
from seqexp.inspection.unit_order import unit_order
from seqexp.runs.inspections import of_kind, read_arrays, read_inspections

Limits = tuple[float, float]


class Layer(NamedTuple):
    """What the figures of a layer's states share.

    Attributes:
        order: `[P]`, of its units, by the last inspection.
        components: its first two principal components, by the last inspection; None where its
            states are not finite, or fewer than two.
        states: the least and the greatest state of all inspections.
        across: the least and the greatest projection on the first component.
        along: likewise on the second.
    """

    order: np.ndarray
    components: Components | None
    states: Limits
    across: Limits
    along: Limits


class Shared(NamedTuple):
    """What the figures of a run share.

    Attributes:
        layers: of each layer whose states were recorded.
        gradients: of each layer the least and the greatest norm of its gradients that are seen.
    """

    layers: Mapping[str, Layer]
    gradients: Mapping[str, Limits]


_fit = jax.jit(fit_components, static_argnames="count")
_project = jax.jit(project)

REACH = 1e-15
"""The part of the largest norm down to which norms are shown."""


def shared(run: Path) -> Shared:
    """What the figures of all inspections of a run share.

    Raises:
        SeqexpError: a file can't be read.
    """
    steps = [line["step"] for line in read_inspections(run)]
    names = ("hidden", "lengths", "inputs", "gradient_by_lag")
    return shared_by([read_arrays(run, step, *names) for step in steps])


def shared_by(found: Sequence[Mapping[str, np.ndarray]]) -> Shared:
    """What the figures of inspections share, by the arrays of each."""
    layers = {}
    for name in dict.fromkeys(name for one in found for name in of_kind(one, "hidden")):
        mine = [one for one in found if f"hidden/{name}" in one]
        states = [one[f"hidden/{name}"] for one in mine]
        masks = [true_steps(one, f"hidden/{name}") for one in mine]
        layers[name] = _layer(states, masks)
    norms: dict[str, list[np.ndarray]] = {}
    for one in found:
        for name, quartiles in of_kind(one, "gradient_by_lag").items():
            norms.setdefault(name, []).append(np.asarray(quartiles).ravel())
    return Shared(layers, {name: _seen(np.concatenate(each)) for name, each in norms.items()})


def true_steps(arrays: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    """`[n, T]`, True where a step of an array `[n, T, ...]` is real.

    Of states that follow the inputs their lengths tell, of others (those of an answer) that padding
    is 0.
    """
    values, inputs = arrays[name], arrays.get("inputs")
    steps = values.shape[1]
    if "lengths" in arrays and (inputs is None or inputs.shape[1] == steps):
        return np.asarray(np.arange(steps) < arrays["lengths"][:, None])
    return np.any((values != 0).reshape(*values.shape[:2], -1), axis=-1)


def projected(components: Components, states: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """States on the axes, `[n, T, 2]`, NaN at padding."""
    points = np.asarray(_project(components, jnp.asarray(states, jnp.float32), jnp.asarray(mask)))
    return np.where(mask[..., None], points, np.nan)


def _layer(states: list[np.ndarray], masks: list[np.ndarray]) -> Layer:
    last, mask = states[-1], masks[-1]
    units = last.shape[-1]
    order, components = np.arange(units), None
    if mask.any() and np.isfinite(last[mask]).all():
        order = unit_order(last, mask)
        if units > 1:
            components = _fit(jnp.asarray(last, jnp.float32), jnp.asarray(mask), count=2)
    values = np.concatenate([one[real].ravel() for one, real in zip(states, masks, strict=True)])
    points = np.zeros((0, 2))
    if components is not None:
        each = (projected(components, *pair) for pair in zip(states, masks, strict=True))
        points = np.concatenate([one.reshape(-1, 2) for one in each])
    return Layer(order, components, _ends(values), _ends(points[:, 0]), _ends(points[:, 1]))


def _ends(values: np.ndarray) -> Limits:
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)


def _seen(norms: np.ndarray) -> Limits:
    low, high = _ends(norms[norms > 0])
    return max(low, REACH * high), high
