"""Examples that are kept small, and made ready inside the program, batch by batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax

from seqexp.data.streams import Examples, Orders
from seqexp.types import Array, Batch, Bucket, Stream


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Prepared(Stream):
    """A finite set of examples in a smaller form than the one that a model reads.

    For example bytes in the place of floats, or where windows of a series begin in the place of the
    windows, which overlap. Each example comes once an epoch, as in `Examples`.

    Attributes:
        examples: in the smaller form.
        prepare: from a batch of them to one as the task's spec says, pure and jittable; a pytree,
            so that arrays that it holds enter a program as arguments. Any number of examples may be
            asked for.
    """

    examples: Examples
    prepare: Callable[[Batch], Batch]

    def plan(self, key: Array, first_step: Array, max_steps: int, batch_size: int) -> Orders:
        """The order of every epoch, as `Examples` has it."""
        return self.examples.plan(key, first_step, max_steps, batch_size)

    def buckets(self, batch_size: int) -> tuple[Bucket]:
        """One, of the length that `prepare` gives."""
        made = jax.eval_shape(lambda stream: stream.prepare(stream.examples.split), self)
        return (Bucket(batch_size, made.inputs.values.shape[1]),)

    def batch(self, plan: Any, key: Array, step: Array, bucket: Bucket) -> Batch:
        """The examples of a step, made ready."""
        return self.prepare(self.examples.batch(plan, key, step, bucket))

    def steps_per_epoch(self, batch_size: int) -> int:
        """N // B. Raises SeqexpError where one batch needs more examples than there are."""
        return self.examples.steps_per_epoch(batch_size)

    def all_examples(self) -> tuple[Batch]:
        """All of them, made ready: as large as they are spared to be in training."""
        return (self.prepare(self.examples.split),)
