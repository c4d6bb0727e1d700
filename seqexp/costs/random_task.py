"""A task of random data, to measure a model's costs at any length."""

from __future__ import annotations

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp

from seqexp.training.random_batch import random_batch
from seqexp.types import (
    Array,
    Batch,
    Bucket,
    Mean,
    Prediction,
    Score,
    Splits,
    Stream,
    Sums,
    Task,
    TaskSpec,
)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class _OneBatch(Stream):
    """A stream that gives the same batch at every step."""

    examples: Batch

    def buckets(self, batch_size: int) -> tuple[Bucket]:
        """The batch's."""
        return (Bucket(*self.examples.inputs.values.shape[:2]),)

    def batch(self, plan: None, key: Array, step: Array, bucket: Bucket) -> Batch:
        """The batch."""
        return self.examples

    def all_examples(self) -> tuple[Batch]:
        """The batch."""
        return (self.examples,)


@dataclass(frozen=True)
class RandomTask(Task):
    """One batch of random sequences of full length, of the form that a spec asks for.

    Tokens are uniform, features normal. The loss is the mean square of the outputs, so that every
    output has a gradient.

    Attributes:
        asked: the spec of the task that it stands for, with a length of one's choice.
        batch_size: B.
    """

    asked: TaskSpec
    batch_size: int

    @property
    def score(self) -> Score:
        return Score("loss", "min")

    @property
    def spec(self) -> TaskSpec:
        """The given spec with `targets="own"`."""
        return replace(self.asked, targets="own")

    def load(self) -> Splits:
        """The same batch to train on and as either split."""
        batch = jax.tree.map(jnp.asarray, random_batch(self.spec, self.batch_size))
        return Splits(_OneBatch(batch), {"valid": (batch,), "test": (batch,)})

    def measure(self, prediction: Prediction, batch: Batch) -> Sums:
        """The mean square of the outputs."""
        outputs = prediction.outputs
        return {"loss": Mean(jnp.sum(outputs * outputs), jnp.float32(outputs.size))}
