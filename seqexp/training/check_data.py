"""What a task's data must be, checked before training: a mistake names split, field, row, value.

Padding is never looked at, for it never matters.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from seqexp.training.batches import batch_shapes, draw
from seqexp.types import Batch, SeqexpError, Splits, Task, TaskSpec, first_line

DRAWN = 2
"""Batches that are looked at of a stream that has no end."""


def check_data(task: Task, splits: Splits, batch_size: int) -> None:
    """Check every split against the task's spec and its measure.

    Args:
        task: gives the spec and measures.
        splits: its data.
        batch_size: B, for training batches.

    Raises:
        SeqexpError: for the first mistake, in one line.
    """
    name = type(task).__name__
    _check_text(task, name)
    shapes = batch_shapes(splits.train, batch_size)
    check_form(task.spec, shapes, f"{name}, training batches")
    _check_measure(task, shapes, f"{name}, training batches")
    for split, examples in _examples(splits, batch_size):
        check_examples(task.spec, examples, f"{name}, {split}")
    for split in ("valid", "test"):
        _check_measure(task, getattr(splits, split), f"{name}, {split} split")


def check_examples(spec: TaskSpec, examples: Batch, where: str) -> None:
    """Check that examples, a split or a batch, are what a spec promises.

    Raises:
        SeqexpError: naming field, row and value, after `where`.
    """
    inputs, targets, lengths = map(np.asarray, examples)
    check_form(spec, Batch(inputs, targets, lengths), where)  # type: ignore[arg-type]
    _check_lengths(lengths, inputs.shape[1], where)
    real = np.arange(inputs.shape[1]) < lengths[:, None]
    if spec.inputs == "tokens":
        asked = f"the spec's tokens are 0 to {spec.input_size - 1} (input_size={spec.input_size})"
        _check_range(inputs, real, spec.input_size, f"{where}: inputs", "token", asked)
    else:
        _check_finite(inputs, real, f"{where}: inputs")
    kind, counts = _targets(spec, targets), real if spec.outputs == "step" else lengths > 0
    if kind == "labels":
        asked = (
            f"the spec's classes are 0 to {spec.output_size - 1} (output_size={spec.output_size}); "
            'a task with another use for it says TaskSpec(..., targets="own")'
        )
        _check_range(targets, counts, spec.output_size, f"{where}: targets", "label", asked)
    elif kind == "values":
        _check_finite(targets, counts, f"{where}: targets")


def check_form(spec: TaskSpec, batch: Batch, where: str) -> None:
    """Check the shapes and dtypes of examples; arrays in form alone (`jax.eval_shape`) do.

    Raises:
        SeqexpError: naming the field, after `where`.
    """
    inputs, targets, lengths = batch
    tokens, C = spec.inputs == "tokens", spec.output_size
    trailing = () if tokens else (spec.input_size,)
    if len(inputs.shape) != 2 + len(trailing) or inputs.shape[2:] != trailing:
        asked = "[N, T] tokens" if tokens else f"[N, T, {spec.input_size}] features"
        raise SeqexpError(f"{where}: inputs are {_form(inputs)}, but the spec asks for {asked}")
    if not jnp.issubdtype(inputs.dtype, jnp.integer if tokens else jnp.floating):
        asked = "tokens, which are integers" if tokens else "features, which are floats"
        raise SeqexpError(f"{where}: inputs are {_form(inputs)}, but the spec asks for {asked}")
    N, T = inputs.shape[:2]
    if N < 1 or not 1 <= T <= spec.length:
        raise SeqexpError(
            f"{where}: inputs are {_form(inputs)}, but there must be at least one example, of 1 to "
            f"{spec.length} steps (the spec's length)"
        )
    if lengths.shape != (N,) or not jnp.issubdtype(lengths.dtype, jnp.integer):
        raise SeqexpError(
            f"{where}: lengths are {_form(lengths)}, but must be integers [{N}], one an example"
        )
    lead = (N, T) if spec.outputs == "step" else (N,)
    numeric = any(jnp.issubdtype(targets.dtype, kind) for kind in (jnp.number, jnp.bool_))
    if not numeric or targets.shape[:1] != (N,):
        raise SeqexpError(f"{where}: targets are {_form(targets)}, but must be numbers [{N}, ...]")
    kind = _targets(spec, targets)
    fits = {
        "labels": targets.shape == lead and jnp.issubdtype(targets.dtype, jnp.integer),
        "values": targets.shape == (*lead, C),
        "own": True,
    }
    if not fits[kind]:
        raise SeqexpError(
            f"{where}: targets are {_form(targets)}, but for one answer a {spec.outputs} must be "
            f"class labels, integers {list(lead)}, or values {[*lead, C]}; a task with its own "
            'kind of target says TaskSpec(..., targets="own")'
        )


def _targets(spec: TaskSpec, targets: Any) -> str:
    """What the targets are: as the spec says, or as their dtype and shape do."""
    if spec.targets is not None:
        return spec.targets
    dimensions = 2 if spec.outputs == "step" else 1
    labels = jnp.issubdtype(targets.dtype, jnp.integer)
    return "labels" if labels and len(targets.shape) == dimensions else "values"


def _examples(splits: Splits, batch_size: int) -> Iterator[tuple[str, Batch]]:
    """What there is to look at, each with its name."""
    train = splits.train.all_examples()
    if train is not None:
        yield "train split", train
    else:
        for step in range(DRAWN):
            yield f"training batch of step {step}", draw(splits.train, step, batch_size)
    yield "valid split", splits.valid
    yield "test split", splits.test


def _check_lengths(lengths: np.ndarray, steps: int, where: str) -> None:
    wrong = np.flatnonzero((lengths < 0) | (lengths > steps))
    if len(wrong):
        raise SeqexpError(
            f"{where}: lengths, row {wrong[0]} is {lengths[wrong[0]]}, but the inputs have {steps} "
            f"steps{_others(wrong)}"
        )
    if not lengths.any():
        raise SeqexpError(f"{where}: every length is 0, so that nothing counts")


def _check_range(
    values: np.ndarray, real: np.ndarray, size: int, where: str, what: str, asked: str
) -> None:
    """Of integers below `size`; those that are not real don't matter."""
    if values.min() >= 0 and values.max() < size:
        return
    wrong = np.argwhere(real & ((values < 0) | (values >= size)))
    if len(wrong):
        raise SeqexpError(
            f"{where}, {_place(wrong[0])} is {what} {values[tuple(wrong[0])]}, but {asked}"
            f"{_others(wrong)}"
        )


def _check_finite(values: np.ndarray, real: np.ndarray, where: str) -> None:
    # As float32, which is what a model gets to see.
    with np.errstate(over="ignore"):
        finite = np.isfinite(values.astype(np.float32, copy=False))
    if finite.all():
        return
    wrong = np.argwhere(~finite & real[..., None])
    if len(wrong):
        raise SeqexpError(
            f"{where}, {_place(wrong[0])} is {values[tuple(wrong[0])]}, but must be a finite number"
            f"{_others(wrong)}"
        )


def _check_measure(task: Task, batch: Batch, where: str) -> None:
    """That the task's metrics can be had of outputs as its spec promises them."""
    spec = task.spec
    lead = batch.inputs.shape[: 2 if spec.outputs == "step" else 1]
    outputs = jax.ShapeDtypeStruct((*lead, spec.output_size), jnp.float32)
    try:
        metrics = jax.eval_shape(task.measure, outputs, batch)
    except (SeqexpError, TypeError, ValueError) as error:
        raise SeqexpError(f"{where}: {first_line(error)}") from error
    for name in ("loss", task.score.name):
        if name not in metrics:
            raise SeqexpError(f"{where}: measure gives {', '.join(metrics)}, but no {name!r}")
    for name, mean in metrics.items():
        if any(part.shape for part in jax.tree.leaves(mean)):
            raise SeqexpError(
                f"{where}: the sum and weight of {name!r} must be scalars, and are "
                f"{[list(part.shape) for part in jax.tree.leaves(mean)]}"
            )


def _check_text(task: Task, name: str) -> None:
    text, spec = task.text, task.spec
    if text is None:
        return
    if (spec.inputs, spec.outputs) != ("tokens", "step") or {len(text.symbols)} != {
        spec.input_size,
        spec.output_size,
    }:
        raise SeqexpError(
            f"{name}: text has {len(text.symbols)} symbols, so the spec must be of as many tokens "
            "in and, at each step, out"
        )
    if unknown := sorted(set(text.prompt) - set(text.symbols)):
        raise SeqexpError(f"{name}: the prompt of text has symbols that are no tokens: {unknown}")
    if not text.prompt:
        raise SeqexpError(f"{name}: the prompt of text is empty, and must have one symbol at least")


def _place(index: np.ndarray) -> str:
    row, *inside = index.tolist()
    return f"row {row}" + (f", place {inside[0] if len(inside) == 1 else inside}" if inside else "")


def _others(wrong: Any) -> str:
    return f" ({len(wrong) - 1:,} more are wrong)" if len(wrong) > 1 else ""


def _form(array: Any) -> str:
    return f"{array.dtype} {list(array.shape)}"
