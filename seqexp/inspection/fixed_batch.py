"""The validation examples that every inspection of a run looks at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from seqexp.training.evaluation import eval_batches, joined
from seqexp.types import Array, Batch

STEPS = 1000
"""Of longer sequences the states, gates and outputs of so many steps, the first, are kept: of 8
sequences and 512 units 16 MB each."""

COUNTED = 64
"""So many of the first examples are counted in a confusion matrix."""


def first_examples(split: Sequence[Batch], examples: int) -> Batch:
    """The first examples of a split that are real, in arrays of numpy, those of several parts
    padded to the longest.

    Args:
        split: batches of N examples, of which those of length 0 are no examples.
        examples: how many, where there are so many.
    """
    parts, found = [], 0
    for part in split:
        real = np.flatnonzero(np.asarray(part.inputs.lengths) > 0)[: examples - found]
        parts.append(jax.tree.map(lambda array, real=real: np.asarray(array)[real], part))
        found += len(real)
        if found >= examples:
            break
    return joined(parts)


def in_chunks(batch: Batch, size: int) -> Batch:
    """A batch of N examples as chunks of `size`, `[N / size, size, ...]`, the last filled up with
    examples of length 0."""
    return jax.tree.map(lambda *arrays: np.stack(arrays), *eval_batches([batch], size))


def cut(batch: Batch, steps: int = STEPS) -> Batch:
    """A batch with no more than the first steps of each sequence of inputs; targets as they are."""
    values, lengths = batch.inputs
    inputs = batch.inputs._replace(values=values[:, :steps], lengths=lengths.clip(max=steps))
    return batch._replace(inputs=inputs)


def kept(batch: Batch, per_step: bool, steps: int = STEPS) -> dict[str, Any]:
    """The arrays of a batch by the names under which they are kept: "inputs", "lengths", and
    "targets" where these are one array.

    Args:
        batch: numpy, of n examples.
        per_step: whether targets have the inputs' steps.
        steps: the most that are kept.
    """
    short = cut(batch, steps)
    arrays = {"inputs": short.inputs.values, "lengths": short.inputs.lengths}
    leaves: list[Array] = jax.tree.leaves(batch.targets)
    if len(leaves) == 1:
        arrays["targets"] = leaves[0][:, :steps] if per_step else leaves[0]
    return arrays
