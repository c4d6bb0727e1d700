"""Laws of tasks: each says how it is broken, or None where it holds."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from seqexp.inspection.shown import check_shown
from seqexp.laws.differences import difference
from seqexp.training.check_data import check_data
from seqexp.types import Batch, Bucket, Prediction, SeqexpError, Sequences, Splits, Task

EXAMPLES = 5


class Case(NamedTuple):
    """A task with its data, a few examples of it as numpy, and what a model might give for them."""

    task: Task
    splits: Splits
    batch_size: int
    batch: Batch
    prediction: Prediction

    @property
    def examples(self) -> int:
        """N."""
        return len(self.batch.inputs.lengths)

    def measured(self, batch: Batch, outputs: Any) -> dict[str, Any]:
        """What the task measures of other outputs."""
        return dict(self.task.measure(self.prediction._replace(outputs=outputs), batch))


def case(task: Task, splits: Splits, batch_size: int) -> Case:
    """The last examples of the validation split, and outputs that are drawn."""
    part = splits.held_out["valid"][-1]
    batch = jax.tree.map(lambda array: np.array(array)[-EXAMPLES:], part)
    spec = task.spec
    shape = (*spec.answer_shape(batch), spec.output_size)
    outputs = np.random.default_rng(5).normal(0, 3, shape).astype(np.float32)
    return Case(task, splits, batch_size, batch, Prediction(jnp.asarray(outputs), ()))


def splits_are_as_the_spec_says(of: Case) -> str | None:
    """Every split, what measures it, and what is shown."""
    try:
        check_data(of.task, of.splits, of.batch_size)
        check_shown(of.task)
    except SeqexpError as error:
        return str(error)
    return None


def data_is_the_same_when_loaded_again(of: Case) -> str | None:
    """All arrays, bitwise."""
    again = of.task.load()
    ours, theirs = jax.tree.leaves_with_path(again), jax.tree.leaves(of.splits)
    if len(ours) != len(theirs):
        return "not the same arrays"
    for (path, one), other in zip(ours, theirs, strict=True):
        if not np.array_equal(one, other, equal_nan=jnp.issubdtype(one.dtype, jnp.floating)):
            return f"{jax.tree_util.keystr(path)} is another"
    return None


def batches_follow_the_key_and_the_step(of: Case) -> str | None:
    """A step's batch is the same however it was planned for, and others are others."""
    stream, size = of.splits.train, of.batch_size
    buckets = stream.buckets(size)

    def batch(seed: int, step: int, first: int, most: int) -> list[bytes]:
        bucket = buckets[int(stream.order(jnp.int32(first), most, size)[step - first])]
        steps = jnp.int32(seed), jnp.int32(step), jnp.int32(first)
        found = _planned(stream, *steps, most, size, bucket)
        if found.inputs.values.shape[:2] != tuple(bucket):
            return []
        return [np.asarray(array).tobytes() for array in jax.tree.leaves(found)]

    usual = batch(0, 3, 3, 1)
    if not usual:
        return "a batch has not the shape of its bucket"
    if batch(0, 3, 3, 1) != usual or batch(0, 3, 1, 4) != usual:
        return "the batch of a step depends on more than its key and its step"
    if size < (stream.steps_per_epoch(1) or size + 1) and batch(1, 3, 3, 1) == usual:
        return "another key gives the same batch"
    return None


def metrics_pool_over_batches(of: Case) -> str | None:
    """Sums of parts add up to those of the whole."""
    first = np.arange(of.examples) < of.examples // 2
    outputs = of.prediction.outputs
    parts = [of.measured(_only(of.batch, rows), outputs) for rows in (first, ~first)]
    return difference(jax.tree.map(jnp.add, *parts), of.measured(of.batch, outputs))


def padding_weighs_nothing(of: Case) -> str | None:
    """Neither outputs nor targets at padding matter to metrics and to the gradient."""
    spec, batch = of.task.spec, _only(of.batch, np.arange(of.examples) < of.examples - 1)
    read = batch.inputs if batch.prefix is None else batch.prefix
    if spec.answer != "sequence":
        shorter = np.where(read.lengths > 0, np.maximum(1, read.lengths - 1), 0)
        name = "inputs" if batch.prefix is None else "prefix"
        batch = batch._replace(**{name: read._replace(lengths=shorter.astype(np.int32))})
    mask = np.asarray(spec.answer_mask(batch))

    def filled(array: Any, value: Any) -> np.ndarray:
        array = np.asarray(array)
        counts = mask.reshape(mask.shape + (1,) * (array.ndim - mask.ndim))
        return np.where(counts, array, np.asarray(value, array.dtype))

    def slope(value: Any, label: Any) -> Any:
        targets = batch.targets
        if spec.targets != "own":
            whole = np.issubdtype(np.asarray(targets).dtype, np.integer)
            targets = filled(targets, label if whole else value)
        spoilt = batch._replace(targets=targets)

        def loss(outputs: Any) -> Any:
            sums = of.measured(spoilt, outputs)
            return sums["loss"].total, sums

        outputs = jnp.asarray(filled(of.prediction.outputs, value))
        gradient, sums = jax.grad(loss, has_aux=True)(outputs)
        return sums, gradient

    problem = difference(slope(np.nan, 10**6), slope(0, 0))
    what = "with outputs and targets NaN or out of range at padding"
    return (
        problem and f"{what}, {problem}; replace both by jnp.where(mask, ..., 0) before computing"
    )


LAWS = {
    "splits are as the spec says": splits_are_as_the_spec_says,
    "data is the same when loaded again": data_is_the_same_when_loaded_again,
    "batches follow the key and the step": batches_follow_the_key_and_the_step,
    "metrics pool over batches": metrics_pool_over_batches,
    "padding weighs nothing": padding_weighs_nothing,
}


def _only(batch: Batch, rows: np.ndarray) -> Batch:
    """A batch whose other examples are padding."""

    def some(read: Sequences) -> Sequences:
        return read._replace(lengths=np.where(rows, read.lengths, 0).astype(np.int32))

    prefix = None if batch.prefix is None else some(batch.prefix)
    return batch._replace(inputs=some(batch.inputs), prefix=prefix)


@partial(jax.jit, static_argnums=(4, 5, 6))
def _planned(
    stream: Any, seed: Any, step: Any, first: Any, most: int, size: int, bucket: Bucket
) -> Any:
    key = jax.random.key(seed)
    return stream.batch(stream.plan(key, first, most, size), key, step, bucket)
