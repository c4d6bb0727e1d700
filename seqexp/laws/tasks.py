"""Laws of tasks: each says how it is broken, or None where it holds."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from seqexp.laws.differences import difference
from seqexp.training.check_data import check_data
from seqexp.types import Batch, SeqexpError, Splits, Task

EXAMPLES = 5


class Case(NamedTuple):
    """A task with its data, a few examples of it as numpy, and outputs for them."""

    task: Task
    splits: Splits
    batch_size: int
    batch: Batch
    outputs: np.ndarray


def case(task: Task, splits: Splits, batch_size: int) -> Case:
    """The last examples of the validation split, and outputs that are drawn."""
    batch = jax.tree.map(lambda array: np.array(array)[-EXAMPLES:], splits.valid)
    spec = task.spec
    lead = batch.inputs.shape[: 2 if spec.outputs == "step" else 1]
    outputs = np.random.default_rng(5).normal(0, 3, (*lead, spec.output_size))
    return Case(task, splits, batch_size, batch, outputs.astype(np.float32))


def splits_are_as_the_spec_says(of: Case) -> str | None:
    """Every split, and what measures it."""
    try:
        check_data(of.task, of.splits, of.batch_size)
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

    def batch(seed: int, step: int, first: int, most: int) -> list[bytes]:
        found = _planned(stream, jnp.int32(seed), jnp.int32(step), jnp.int32(first), most, size)
        return [np.asarray(array).tobytes() for array in found]

    usual = batch(0, 3, 3, 1)
    if batch(0, 3, 3, 1) != usual or batch(0, 3, 1, 4) != usual:
        return "the batch of a step depends on more than its key and its step"
    if size < (stream.steps_per_epoch(1) or size + 1) and batch(1, 3, 3, 1) == usual:
        return "another key gives the same batch"
    return None


def metrics_pool_over_batches(of: Case) -> str | None:
    """Sums and weights of parts add up to those of the whole."""
    first = np.arange(len(of.batch.lengths)) < len(of.batch.lengths) // 2
    parts = [
        of.task.measure(
            jnp.asarray(of.outputs),
            of.batch._replace(lengths=np.where(rows, of.batch.lengths, 0)),  # type: ignore
        )
        for rows in (first, ~first)
    ]
    whole = of.task.measure(jnp.asarray(of.outputs), of.batch)
    pooled = jax.tree.map(jnp.add, *map(dict, parts))
    return difference(pooled, dict(whole))


def padding_weighs_nothing(of: Case) -> str | None:
    """Neither outputs nor targets at padding matter to metrics and to the gradient."""
    lengths = np.asarray(of.batch.lengths).copy()
    lengths[-1] = 0
    by_step = of.task.spec.outputs == "step"
    if by_step:
        lengths[:-1] = np.maximum(1, lengths[:-1] - 1)
    real = np.arange(of.outputs.shape[1]) < lengths[:, None] if by_step else lengths > 0

    def filled(array: Any, value: Any) -> np.ndarray:
        array = np.asarray(array)
        mask = real.reshape(real.shape + (1,) * (array.ndim - real.ndim))
        return np.where(mask, array, np.asarray(value, array.dtype))

    labels = np.issubdtype(np.asarray(of.batch.targets).dtype, np.integer)
    own = of.task.spec.targets == "own"

    def slope(value: Any, label: Any) -> Any:
        targets = of.batch.targets if own else filled(of.batch.targets, label)
        batch = of.batch._replace(lengths=lengths, targets=targets)  # type: ignore[arg-type]

        def loss(outputs: Any) -> Any:
            metrics = of.task.measure(outputs, batch)
            return metrics["loss"].total, dict(metrics)

        gradient, metrics = jax.grad(loss, has_aux=True)(jnp.asarray(filled(of.outputs, value)))
        return metrics, gradient

    return difference(slope(np.nan, 10**6 if labels else np.nan), slope(0, 0))


LAWS = {
    "splits are as the spec says": splits_are_as_the_spec_says,
    "data is the same when loaded again": data_is_the_same_when_loaded_again,
    "batches follow the key and the step": batches_follow_the_key_and_the_step,
    "metrics pool over batches": metrics_pool_over_batches,
    "padding weighs nothing": padding_weighs_nothing,
}


@partial(jax.jit, static_argnums=(4, 5))
def _planned(stream: Any, seed: Any, step: Any, first: Any, most: int, size: int) -> Any:
    key = jax.random.key(seed)
    return stream.batch(stream.plan(key, first, most, size), key, step, size)
