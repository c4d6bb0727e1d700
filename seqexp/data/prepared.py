"""Examples that are kept small, and made ready inside the program, batch by batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
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
        prepare: from a batch of them, and `held`, to a batch as the task's spec says, pure and
            jittable. Streams of equal `prepare` share a program.
        held: arrays that `prepare` reads besides, such as the series that windows are cut from.
    """

    examples: Examples
    prepare: Callable[..., Batch] = field(metadata={"static": True})
    held: tuple[Array, ...] = ()

    def plan(self, key: Array, first_step: Array, max_steps: int, batch_size: int) -> Orders:
        """The order of every epoch, as `Examples` has it."""
        return self.examples.plan(key, first_step, max_steps, batch_size)

    def buckets(self, batch_size: int) -> tuple[Bucket]:
        """One, of the length that `prepare` gives."""
        made = jax.eval_shape(Prepared._all, self)
        return (Bucket(batch_size, made.inputs.values.shape[1]),)

    def batch(self, plan: Any, key: Array, step: Array, bucket: Bucket) -> Batch:
        """The examples of a step, made ready."""
        return self.prepare(self.examples.batch(plan, key, step, bucket), *self.held)

    def steps_per_epoch(self, batch_size: int) -> int:
        """N // B. Raises SeqexpError where one batch needs more examples than there are."""
        return self.examples.steps_per_epoch(batch_size)

    def all_examples(self) -> tuple[Batch]:
        """All of them, made ready: as large as they are spared to be in training."""
        return (self._all(),)

    def _all(self) -> Batch:
        return self.prepare(self.examples.split, *self.held)
