"""Checks of a task's data before training; a message names split, field, row and value.

Padding is never looked at, for it never matters.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from seqexp.training.batches import batch_shapes, drawn
from seqexp.types import (
    CTC,
    Batch,
    Beam,
    Decoding,
    Features,
    FreeRunning,
    Mean,
    Prediction,
    SeqexpError,
    Sequences,
    Splits,
    Task,
    TaskSpec,
    Tokens,
    first_line,
)

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
    if not isinstance(task, Task):
        raise SeqexpError(f"{name} is no task: make it a subclass of seqexp.types.Task")
    _check_decoding(task, name)
    if missing := {"valid", "test"} - splits.held_out.keys():
        raise SeqexpError(f"{name}: held_out has no {' and no '.join(sorted(missing))} split")
    if task.spec.stateful and len(splits.train.buckets(batch_size)) > 1:
        raise SeqexpError(
            f"{name}: the batches of a stateful task have one length, for each continues the one "
            "before it: use one bucket, or stateful=False"
        )
    for shapes in batch_shapes(splits.train, batch_size).values():
        check_form(task.spec, shapes, f"{name}, training batches")
        _check_measure(task, shapes, f"{name}, training batches")
    for split, examples in _examples(splits, batch_size):
        check_examples(task.spec, examples, f"{name}, {split}")
    for split, parts in splits.held_out.items():
        for part in parts:
            _check_measure(task, part, f"{name}, {split} split")


def check_examples(spec: TaskSpec, examples: Batch, where: str) -> None:
    """Check the shapes, dtypes and values of examples (a split or a batch) against a spec.

    Raises:
        SeqexpError: naming field, row and value, after `where`.
    """
    examples = jax.tree.map(np.asarray, examples)
    check_form(spec, examples, where)
    _check_sequences(spec.inputs, examples.inputs, f"{where}: inputs", "inputs=Tokens({})")
    if examples.prefix is not None:
        tokens = Tokens(spec.output_size)
        _check_sequences(tokens, examples.prefix, f"{where}: prefix", "output_size={}")
    counts = np.asarray(spec.answer_mask(examples))
    kind = _targets(spec, examples.targets)
    if kind == "labels":
        asked = (
            f"the spec's classes are 0 to {spec.output_size - 1} (output_size={spec.output_size}); "
            'a task with another use for it says TaskSpec(..., targets="own")'
        )
        where = f"{where}: targets"
        _check_range(examples.targets, counts, spec.output_size, where, "label", asked)
    elif kind == "values":
        _check_finite(examples.targets, counts, f"{where}: targets")


def check_form(spec: TaskSpec, batch: Batch, where: str) -> None:
    """Check the shapes and dtypes of examples; arrays in form alone (`jax.eval_shape`) do.

    Raises:
        SeqexpError: naming the field, after `where`.
    """
    _check_form(spec.inputs, batch.inputs, spec.max_length, f"{where}: inputs", "max_length")
    if (batch.prefix is None) != (spec.answer != "free"):
        found = "none" if batch.prefix is None else "one"
        raise SeqexpError(
            f"{where}: there is {found}, but only a task with free answers has a prefix"
        )
    if batch.prefix is not None:
        most = spec.max_answer_length or 0
        tokens, limit = Tokens(spec.output_size), "max_answer_length"
        _check_form(tokens, batch.prefix, most, f"{where}: prefix", limit)
    _check_targets(spec, batch, where)


def _check_form(
    kind: Tokens | Features, sequences: Sequences, most: int, where: str, limit: str
) -> None:
    values, lengths = sequences
    tokens = isinstance(kind, Tokens)
    trailing = () if tokens else (kind.size,)
    if len(values.shape) != 2 + len(trailing) or values.shape[2:] != trailing:
        asked = "[N, T] tokens" if tokens else f"[N, T, {kind.size}] features"
        raise SeqexpError(f"{where} are {_form(values)}, but the spec asks for {asked}")
    if not jnp.issubdtype(values.dtype, jnp.integer if tokens else jnp.floating):
        asked = "tokens, which are integers" if tokens else "features, which are floats"
        raise SeqexpError(f"{where} are {_form(values)}, but the spec asks for {asked}")
    N, T = values.shape[:2]
    if N < 1 or not 1 <= T <= most:
        raise SeqexpError(
            f"{where} are {_form(values)}, but there must be at least one example, of 1 to {most} "
            f"steps (the spec's {limit})"
        )
    if lengths.shape != (N,) or not jnp.issubdtype(lengths.dtype, jnp.integer):
        raise SeqexpError(
            f"{_lengths(where)} are {_form(lengths)}, but must be integers [{N}], one an example"
        )


def _check_targets(spec: TaskSpec, batch: Batch, where: str) -> None:
    targets, N = batch.targets, batch.inputs.values.shape[0]
    for leaf in jax.tree.leaves(targets):
        numeric = any(jnp.issubdtype(leaf.dtype, kind) for kind in (jnp.number, jnp.bool_))
        if not numeric or leaf.shape[:1] != (N,):
            raise SeqexpError(f"{where}: targets are {_form(leaf)}, but must be numbers [{N}, ...]")
    kind = _targets(spec, targets)
    labels = list(spec.answer_shape(batch))
    values = [*labels, spec.output_size]
    one = hasattr(targets, "shape")
    fits = one and {
        "labels": list(targets.shape) == labels and jnp.issubdtype(targets.dtype, jnp.integer),
        "values": list(targets.shape) == values,
    }
    if kind != "own" and not (fits and fits[kind]):
        are = _form(targets) if one else f"a {type(targets).__name__}"
        raise SeqexpError(
            f"{where}: targets are {are}, but for one answer a {_each(spec)} must be class labels, "
            f"integers {labels}, or values {values}; a task with its own kind of target says "
            'TaskSpec(..., targets="own")'
        )


def _each(spec: TaskSpec) -> str:
    return "step of the prefix" if spec.answer == "free" else spec.answer


def _targets(spec: TaskSpec, targets: Any) -> str:
    """What the targets are: as the spec says, or as their dtype and shape do."""
    if spec.targets is not None or not hasattr(targets, "dtype"):
        return spec.targets or "values"
    dimensions = 1 if spec.answer == "sequence" else 2
    labels = jnp.issubdtype(targets.dtype, jnp.integer)
    return "labels" if labels and len(targets.shape) == dimensions else "values"


def _examples(splits: Splits, batch_size: int) -> Iterator[tuple[str, Batch]]:
    """What there is to look at, each with its name."""
    train = splits.train.all_examples()
    if train is not None:
        yield from (("train split", part) for part in train)
    else:
        for step, batch in enumerate(drawn(splits.train, batch_size, DRAWN)):
            yield f"training batch of step {step}", batch
    for name, parts in splits.held_out.items():
        yield from ((f"{name} split", part) for part in parts)


def _check_sequences(kind: Tokens | Features, sequences: Sequences, where: str, said: str) -> None:
    values, lengths = map(np.asarray, sequences)
    steps = values.shape[1]
    wrong = np.flatnonzero((lengths < 0) | (lengths > steps))
    if len(wrong):
        what = where.rpartition(" ")[2]
        raise SeqexpError(
            f"{_lengths(where)}, row {wrong[0]} is {lengths[wrong[0]]}, but the {what} "
            f"{'have' if what == 'inputs' else 'has'} {steps} steps{_others(wrong)}"
        )
    if not lengths.any():
        raise SeqexpError(f"{where.rpartition(':')[0]}: every length is 0, so that nothing counts")
    mask = np.asarray(sequences.mask)
    if isinstance(kind, Features):
        _check_finite(values, mask, where)
    else:
        asked = f"the spec's tokens are 0 to {kind.size - 1} ({said.format(kind.size)})"
        _check_range(values, mask, kind.size, where, "token", asked)


def _lengths(where: str) -> str:
    return f"{where} lengths".replace("inputs lengths", "lengths")


def _check_range(
    values: np.ndarray, mask: np.ndarray, size: int, where: str, what: str, asked: str
) -> None:
    """Check that integers are in [0, size); values outside the mask are ignored."""
    if values.min() >= 0 and values.max() < size:
        return
    wrong = np.argwhere(mask & ((values < 0) | (values >= size)))
    if len(wrong):
        raise SeqexpError(
            f"{where}, {_place(wrong[0])} is {what} {values[tuple(wrong[0])]}, but {asked}"
            f"{_others(wrong)}"
        )


def _check_finite(values: np.ndarray, mask: np.ndarray, where: str) -> None:
    # As float32, which is what a model gets to see.
    with np.errstate(over="ignore"):
        finite = np.isfinite(values.astype(np.float32, copy=False))
    if finite.all():
        return
    wrong = np.argwhere(~finite & mask[..., None])
    if len(wrong):
        raise SeqexpError(
            f"{where}, {_place(wrong[0])} is {values[tuple(wrong[0])]}, but must be a finite number"
            f"{_others(wrong)}"
        )


def _check_measure(task: Task, batch: Batch, where: str) -> None:
    """Check that the task can measure outputs of the shape that its spec asks for."""
    spec = task.spec
    shape = (*spec.answer_shape(batch), spec.output_size)
    prediction = Prediction(jax.ShapeDtypeStruct(shape, jnp.float32), ())  # type: ignore[arg-type]
    # What users of the package wrote: its errors, in one line.
    mistakes = (SeqexpError, TypeError, ValueError, AttributeError, KeyError)
    try:
        sums = jax.eval_shape(task.measure, prediction, batch)
    except mistakes as error:
        raise SeqexpError(f"{where}: {first_line(error)}") from error
    if not isinstance(sums.get("loss"), Mean):
        raise SeqexpError(f"{where}: measure gives {', '.join(sums)}, but no 'loss' that is a Mean")
    for name, mean in sums.items():
        if isinstance(mean, Mean) and any(part.shape for part in mean):
            raise SeqexpError(
                f"{where}: the sum and weight of {name!r} must be scalars, and are "
                f"{[list(part.shape) for part in mean]}"
            )
    try:
        metrics = task.summarize(jax.tree.map(lambda part: np.ones(part.shape), sums))
    except mistakes as error:
        raise SeqexpError(f"{where}: {first_line(error)}") from error
    if task.score.name not in metrics and task.decoding is None:
        raise SeqexpError(
            f"{where}: measure gives {', '.join(metrics)}, but no {task.score.name!r}"
        )


def _check_decoding(task: Task, name: str) -> None:
    if isinstance(task.decoding, FreeRunning) and task.decoding.draws:
        raise SeqexpError(
            f"{name}: what is judged is not drawn: let decoding be None, and shown_decoding what "
            "draws"
        )
    check_decoding(task.decoding, task.spec, name)


def check_decoding(how: Decoding | None, spec: TaskSpec, name: str) -> None:
    """Check a way of decoding against a spec. Raises SeqexpError for a task of that name."""
    if isinstance(how, Beam) and spec.answer != "free":
        raise SeqexpError(
            f"{name}: a beam writes free answers, and the spec has one a {spec.answer}: let "
            'decoding be "greedy"'
        )
    if isinstance(how, FreeRunning):
        asked = Features(spec.output_size), "step"
        if (spec.inputs, spec.answer) != asked or not how.given <= spec.max_length:
            raise SeqexpError(
                f"{name}: free-running forecasts need an answer a step of as many values as "
                f"features, and at least {how.given} steps, all of which are given: correct the "
                "spec or the decoding"
            )
    if not isinstance(how, CTC):
        return
    if spec.answer != "step":
        raise SeqexpError(
            f"{name}: CTC needs an answer a step, and the spec has {spec.answer!r} ones: use "
            'answer="step"'
        )
    if not 0 <= how.blank < spec.output_size:
        raise SeqexpError(
            f"{name}: the blank of CTC must be one of the outputs, 0 to {spec.output_size - 1}, "
            f"not {how.blank}"
        )


def _place(index: np.ndarray) -> str:
    row, *inside = index.tolist()
    return f"row {row}" + (f", place {inside[0] if len(inside) == 1 else inside}" if inside else "")


def _others(wrong: Any) -> str:
    return f" ({len(wrong) - 1:,} more are wrong)" if len(wrong) > 1 else ""


def _form(array: Any) -> str:
    return f"{array.dtype} {list(array.shape)}"
