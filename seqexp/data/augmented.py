"""Training batches with SpecAugment's masks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import jax

from seqexp.data.spec_augment import SpecAugment
from seqexp.types import Array, Batch, Bucket, Stream

USE = 0x5BEC
"""Tells the keys of masks from those that a stream draws its examples by."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Augmented(Stream):
    """A stream of standardized features, with masks that derive from the key and the step.

    Attributes:
        examples: the stream.
        augment: its masks; what they cover is 0, the mean.
    """

    examples: Stream
    augment: SpecAugment = field(metadata={"static": True})

    @property
    def revision(self) -> str | None:
        """That of the examples."""
        return self.examples.revision

    def buckets(self, batch_size: int) -> tuple[Bucket, ...]:
        """Those of the examples."""
        return self.examples.buckets(batch_size)

    def order(self, first_step: Array, max_steps: int, batch_size: int) -> Array:
        """That of the examples."""
        return self.examples.order(first_step, max_steps, batch_size)

    def plan(self, key: Array, first_step: Array, max_steps: int, batch_size: int) -> Any:
        """That of the examples."""
        return self.examples.plan(key, first_step, max_steps, batch_size)

    def batch(self, plan: Any, key: Array, step: Array, bucket: Bucket) -> Batch:
        """The examples of a step, masked by `fold_in(fold_in(key, USE), step)`."""
        batch = self.examples.batch(plan, key, step, bucket)
        masks = jax.random.fold_in(jax.random.fold_in(key, USE), step)
        return batch._replace(inputs=self.augment(masks, batch.inputs, 0.0))

    def steps_per_epoch(self, batch_size: int) -> int | None:
        """Those of the examples."""
        return self.examples.steps_per_epoch(batch_size)

    def all_examples(self) -> tuple[Batch, ...] | None:
        """The examples, not masked."""
        return self.examples.all_examples()


def augmented(examples: Stream, augment: SpecAugment) -> Stream:
    """The stream with masks, or itself where there are none to draw."""
    return Augmented(examples, augment) if augment.masks else examples
