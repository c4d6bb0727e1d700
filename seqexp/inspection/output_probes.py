"""Probes of what a model answers, and of the inputs that an answer depends on."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Int

from seqexp.inspection.confusion import confusion_matrix
from seqexp.inspection.fixed_batch import STEPS
from seqexp.inspection.probe import Found, Probe
from seqexp.inspection.saliency import integrated_gradients
from seqexp.types import Array, Batch, KeyArray, Model, SeqexpError, TaskSpec

POINTS = 16
"""Of the midpoint rule of integrated gradients."""

MOST_KEPT = 8_000_000
"""The most outputs that are kept, in numbers: 32 MB."""

MOST_CLASSES = 256
"""Of a confusion matrix."""


def outputs(spec: TaskSpec) -> Probe:
    """The probe of what a model answers: outputs [B, C] or [B, T, C], and attention [B, U, T]
    where the model attends to its source."""

    def probe(model: Model, batch: Batch, key: KeyArray) -> Found:
        prediction = model(batch.inputs, batch.prefix)
        given = prediction.outputs
        given = given[:, :STEPS] if spec.answer == "step" else given
        arrays: dict[str, Array] = {}
        not_defined: dict[str, str] = {}
        if given.size <= MOST_KEPT:
            arrays["outputs"] = given
        else:
            not_defined["outputs"] = f"{given.size:,} are more than {MOST_KEPT:,}, the most kept"
        if prediction.attention is not None:
            weights = prediction.attention
            if batch.prefix is not None:  # What stands behind the end of an answer asks nothing.
                weights = jnp.where(batch.prefix.mask[:, :, None], weights, 0)
            arrays["attention"] = weights
        else:
            not_defined["attention"] = "this model attends to no source of an answer"
        return Found(arrays, not_defined)

    return probe


def confusion(spec: TaskSpec, chunks: Batch) -> Probe:
    """The probe of which class is taken for which: confusion [C, C].

    Args:
        spec: of the task.
        chunks: the examples that are counted, in place of the batch that is probed, `[K, B, ...]`:
            a chunk is computed at a time.
    """

    def probe(model: Model, batch: Batch, key: KeyArray) -> Found:
        _require_labels(spec, jax.tree.map(lambda array: array[0], chunks))

        def of_chunk(chunk: Batch) -> Array:
            given = model(chunk.inputs, chunk.prefix).outputs
            mask = jnp.asarray(spec.answer_mask(chunk))
            return confusion_matrix(given, chunk.targets, mask)

        return Found({"confusion": jnp.sum(jax.lax.map(of_chunk, chunks), axis=0)})

    return probe


def saliency(spec: TaskSpec) -> Probe:
    """The probe of the inputs that an answer depends on: saliency [B, T], the integrated gradients
    of one output of each sequence, in sum over features.

    The answer is the sequence's, or the one of its last step. The output is that of the right
    class, or the largest where targets are no labels.
    """

    def probe(model: Model, batch: Batch, key: KeyArray) -> Found:
        mask = jnp.asarray(spec.answer_mask(batch))
        given = model(batch.inputs, batch.prefix).outputs
        chosen, steps = jnp.argmax(given, axis=-1), None
        if _has_labels(spec, batch):
            chosen = jnp.clip(batch.targets, 0, spec.output_size - 1)
        if mask.ndim == 2:
            steps = jnp.maximum(jnp.sum(mask, axis=1) - 1, 0)
            chosen = jnp.take_along_axis(chosen, steps[:, None], axis=1)[:, 0]
        found = integrated_gradients(model, batch, chosen, steps, points=POINTS)
        return Found({"saliency": jnp.sum(found.values, axis=-1)[:, :STEPS]})

    return probe


def _has_labels(spec: TaskSpec, batch: Batch) -> bool:
    """Whether the targets are one class for each output."""
    if spec.targets not in (None, "labels") or not hasattr(batch.targets, "dtype"):
        return False
    labels: Int[Array, ...] = batch.targets
    return jnp.issubdtype(labels.dtype, jnp.integer) and labels.shape == spec.answer_shape(batch)


def _require_labels(spec: TaskSpec, batch: Batch) -> None:
    if not _has_labels(spec, batch):
        raise SeqexpError("the task's targets are not one class label for each answer")
    if spec.output_size > MOST_CLASSES:
        raise SeqexpError(
            f"{spec.output_size:,} classes are more than {MOST_CLASSES}, the most in one matrix"
        )
