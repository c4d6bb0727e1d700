"""All laws over a model and a task, a user's own too."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np
from flax import nnx

from seqexp.laws import layers, models, tasks
from seqexp.laws.extremes import EXTREMES
from seqexp.training.experiment import Experiment
from seqexp.training.step import build
from seqexp.types import SeqexpError, Splits, reason


class Verdict(NamedTuple):
    """Whether a law holds: `problem` is None, or what differs and by how much."""

    about: str
    law: str
    problem: str | None


def check(experiment: Experiment, splits: Splits) -> Iterator[Verdict]:
    """Every law, over the model, its layers, and the task."""
    yield from check_model(experiment)
    task = tasks.case(experiment.task, splits, experiment.batch_size)
    yield from _verdicts(type(experiment.task).__name__, tasks.LAWS, task)


def check_model(experiment: Experiment) -> Iterator[Verdict]:
    """Every law, over the model and its layers.

    In float64 where they can compute in it; layers at their limits in float32.
    """
    model = nnx.eval_shape(lambda: build(experiment, 0))
    name = type(model).__name__
    with jax.enable_x64(True):
        of = _precise(models.case(model, experiment.task.spec, np.float64))
        if of is not None:
            yield from _verdicts(f"{name}, float64", models.LAWS, of)
        for layer in kinds(model):
            yield from _layer_verdicts(layer)
    if of is None:
        of = models.case(model, experiment.task.spec)
        yield from _verdicts(f"{name}, float32", models.LAWS, of)
    for layer in kinds(build(experiment, 0)):
        yield from _verdicts(named(layer), EXTREMES, layer)


def check_quickly(experiment: Experiment) -> None:
    """The laws that a model must keep for its results to mean anything, in a second or two.

    Raises:
        SeqexpError: for the first that is broken, in one line.
    """
    model = nnx.eval_shape(lambda: build(experiment, 0))
    of = models.case(model, experiment.task.spec)
    for verdict in _verdicts(type(model).__name__, models.QUICK, of):
        if verdict.problem:
            raise SeqexpError(
                f"{verdict.about} breaks a law, {verdict.law}: {verdict.problem}; seqexp check "
                "tries all laws"
            )


def _verdicts(about: str, laws: Mapping[str, Callable[[Any], Any]], of: Any) -> Iterator[Verdict]:
    for law, broken in laws.items():
        yield Verdict(about, law, _tried(lambda broken=broken: broken(of)))


def _tried(law: Callable[[], str | None]) -> str | None:
    """What a law says; an error in what it tries is a problem too."""
    try:
        return law()
    except Exception as error:
        return reason(error)


def _layer_verdicts(layer: Any) -> Iterator[Verdict]:
    """In float64, or in float32 where the layer insists on it."""
    name = named(layer)
    try:
        of = layers.case(layer)
    except Exception as error:  # Code of a user's own, which may do anything.
        yield Verdict(name, "it can be unrolled", reason(error))
        return
    yield from _verdicts(f"{name}, {of.xs.dtype}", layers.LAWS, of)


def named(layer: Any) -> str:
    """A layer's class, and that of what it runs over time, or of what a block stands around."""
    parts = dict(nnx.iter_children(layer))
    inside = [named(parts[name]) for name in ("cell", "forward", "mixer") if name in parts]
    return type(layer).__name__ + (f" of {inside[0]}" if inside else "")


def kinds(model: Any) -> list[Any]:
    """One of the layers of each class and shape."""
    found: dict[Any, Any] = {}
    for layer in model.layers:
        leaves, structure = jax.tree.flatten(layer)
        found.setdefault((structure, tuple(leaf.shape for leaf in leaves)), layer)
    return list(found.values())


def _precise(of: models.Case) -> models.Case | None:
    """The case, unless its model computes in float32 whatever it is given."""
    try:
        outputs = jax.eval_shape(of.model, of.batch.inputs, of.batch.prefix).outputs
    except (TypeError, ValueError):
        return None
    return of if outputs.dtype == np.float64 else None
