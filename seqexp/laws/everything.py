"""All laws over a model and a task, a user's own too."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np
from flax import nnx

from seqexp.laws import cells, models, tasks
from seqexp.training.experiment import Experiment
from seqexp.training.step import build
from seqexp.types import SeqexpError, Splits, reason


class Verdict(NamedTuple):
    """Whether a law holds: `problem` is None, or what differs and by how much."""

    about: str
    law: str
    problem: str | None


def check(experiment: Experiment, splits: Splits) -> Iterator[Verdict]:
    """Every law, over the model, its cells, and the task.

    Models and cells are checked in float64 where they can compute in it.
    """
    model = nnx.eval_shape(lambda: build(experiment, 0))
    name = type(model).__name__
    with jax.enable_x64(True):
        of = _precise(models.case(model, experiment.task.spec, np.float64))
        if of is not None:
            yield from _verdicts(f"{name}, float64", models.LAWS, of)
        for cell in _cells(model):
            yield from _cell_verdicts(cell)
    if of is None:
        of = models.case(model, experiment.task.spec)
        yield from _verdicts(f"{name}, float32", models.LAWS, of)
    task = tasks.case(experiment.task, splits, experiment.batch_size)
    yield from _verdicts(type(experiment.task).__name__, tasks.LAWS, task)


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


def _cell_verdicts(cell: Any) -> Iterator[Verdict]:
    """In float64, or in float32 where the cell insists on it."""
    kind = type(cell).__name__
    dtype = np.float64
    try:
        drawn = cells.case(cell, None)
        outputs = jax.eval_shape(lambda: cells.stepped(drawn))
    except Exception as error:  # Code of a user's own, which may do anything.
        yield Verdict(kind, "a step can be taken", reason(error))
        return
    if any(leaf.dtype == np.float32 for leaf in jax.tree.leaves(outputs)):
        dtype = np.float32
    laws = {
        "unroll is step": lambda: cells.unroll_is_step(cell, None, dtype=dtype),
        "unroll of padded sequences is step": lambda: cells.unroll_is_step(
            cell, cells.RAGGED, dtype=dtype
        ),
        "unroll in reverse is step": lambda: cells.unroll_is_step(cell, None, True, dtype=dtype),
        "two halves are the whole": lambda: cells.halves_are_the_whole(cell, dtype=dtype),
        "no step looks ahead": lambda: cells.looks_ahead(cell),
    }
    for law, broken in laws.items():
        yield Verdict(f"{kind}, {np.dtype(dtype)}", law, _tried(broken))


def _cells(model: Any) -> list[Any]:
    """One outermost cell of each class and shape."""
    found: dict[Any, Any] = {}
    inside: set[int] = set()
    module: Any
    for _, module in nnx.iter_modules(model):
        if id(module) not in inside and hasattr(module, "dropout_masks"):
            inside |= {id(part) for _, part in nnx.iter_modules(module)}
            key = type(module), module.in_features, module.features
            found.setdefault(key, module)
    return list(found.values())


def _precise(of: models.Case) -> models.Case | None:
    """The case, unless its model computes in float32 whatever it is given."""
    try:
        outputs = jax.eval_shape(of.model, of.inputs, of.lengths).outputs
    except (TypeError, ValueError):
        return None
    return of if outputs.dtype == np.float64 else None
