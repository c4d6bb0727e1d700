"""Length buckets: batches of sequences of like lengths, so that little of them is padding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from seqexp.types import Array, Batch, Bucket, SeqexpError, Stream, TaskSpec

ORDER_SEED = 20_161_126
"""Draws the order of the buckets: the same for every member, so that they share it."""


class BucketPlan(NamedTuple):
    """The epochs that the steps of one plan fall in.

    Attributes:
        first_epoch: int32 scalar, the epoch of the first row.
        ranks: `[epochs, S]` int32, how many batches of its own bucket come before a step.
        examples: for each bucket `[epochs, N]` int32, a permutation of its examples.
    """

    first_epoch: Array
    ranks: Array
    examples: tuple[Array, ...]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class LengthBuckets(Stream):
    """Finite examples in parts of different padded lengths; a batch comes from one part.

    An epoch takes S = sum_b N_b // B_b steps, and each part's examples once but for those of an
    incomplete batch. Epoch e runs through its batches in the order `permutation(fold_in(k, e))`
    with a key k of the stream's own; which examples fill them derives from the member's key:

        parts      lengths up to 8: 70 examples, up to 16: 33      batch_size 32
        an epoch   32 of the first, 32 of the second, 32 of the first

    Attributes:
        parts: the examples of each bucket, `bucketed` makes them.
        constant: what the batches of all buckets have in common: their "examples", `batch_size`, or
            about their "tokens", `batch_size` times the greatest length.
    """

    parts: tuple[Batch, ...]
    constant: Literal["examples", "tokens"] = field(default="examples", metadata={"static": True})

    def buckets(self, batch_size: int) -> tuple[Bucket, ...]:
        """One a part. Raises SeqexpError where a part has too few examples for a batch."""
        lengths = [part.inputs.values.shape[1] for part in self.parts]
        found = []
        for part, length in zip(self.parts, lengths, strict=True):
            size = batch_size
            if self.constant == "tokens":
                size = batch_size * max(lengths) // length
            count = part.inputs.lengths.shape[0]
            if not 1 <= size <= count:
                raise SeqexpError(
                    f"batch_size is {batch_size}, so the bucket of length {length} needs {size} "
                    f"examples a batch, but has {count}: choose a smaller batch_size or fewer "
                    "buckets"
                )
            found.append(Bucket(size, length))
        return tuple(found)

    def order(self, first_step: Array, max_steps: int, batch_size: int) -> Array:
        """The buckets of the next steps, by the epoch alone."""
        first_epoch, orders = self._orders(first_step, max_steps, batch_size)
        steps = jnp.asarray(first_step, jnp.int32) + jnp.arange(max_steps, dtype=jnp.int32)
        epoch, place = jnp.divmod(steps, orders.shape[1])
        return orders[epoch - first_epoch, place]

    def plan(self, key: Array, first_step: Array, max_steps: int, batch_size: int) -> BucketPlan:
        """The orders of each bucket's examples in every epoch that the steps can touch."""
        first_epoch, orders = self._orders(first_step, max_steps, batch_size)
        same = orders[:, :, None] == jnp.arange(len(self.parts))
        before = jnp.cumsum(same, axis=1, dtype=jnp.int32) - same
        ranks = jnp.take_along_axis(before, orders[:, :, None], axis=2)[..., 0]
        epochs = first_epoch + jnp.arange(len(orders), dtype=jnp.int32)
        examples = []
        for index, part in enumerate(self.parts):
            own = jax.random.fold_in(key, index)
            indices = jnp.arange(part.inputs.lengths.shape[0], dtype=jnp.int32)

            def shuffled(epoch: Array, own: Array = own, indices: Array = indices) -> Array:
                return jax.random.permutation(jax.random.fold_in(own, epoch), indices)

            # Not vmap, as in `Examples`.
            examples.append(jax.lax.map(shuffled, epochs))
        return BucketPlan(first_epoch, ranks, tuple(examples))

    def batch(self, plan: BucketPlan, key: Array, step: Array, bucket: Bucket) -> Batch:
        """The examples of a step; `plan` must cover it."""
        B, T = bucket
        index = [part.inputs.values.shape[1] for part in self.parts].index(T)
        epoch, place = jnp.divmod(jnp.asarray(step, jnp.int32), plan.ranks.shape[1])
        row = epoch - plan.first_epoch
        start = plan.ranks[row, place] * B
        # Of a step of another bucket this is nonsense, which nobody asks for.
        chosen = jax.lax.dynamic_slice_in_dim(plan.examples[index][row], start, B)
        return jax.tree.map(lambda array: array[chosen], self.parts[index])

    def steps_per_epoch(self, batch_size: int) -> int:
        """S."""
        return sum(self._batches(batch_size))

    def all_examples(self) -> tuple[Batch, ...]:
        """The parts."""
        return self.parts

    def _batches(self, batch_size: int) -> list[int]:
        buckets = self.buckets(batch_size)
        counts = [part.inputs.lengths.shape[0] for part in self.parts]
        return [n // bucket.batch_size for n, bucket in zip(counts, buckets, strict=True)]

    def _orders(self, first_step: Array, max_steps: int, batch_size: int) -> tuple[Array, Array]:
        """The first epoch that the steps touch, and `[epochs, S]` int32 buckets."""
        batches = self._batches(batch_size)
        S = sum(batches)
        plain = jnp.asarray(np.repeat(np.arange(len(batches)), batches), jnp.int32)
        first_epoch = jnp.asarray(first_step, jnp.int32) // S
        epochs = first_epoch + jnp.arange((max_steps - 1) // S + 2, dtype=jnp.int32)
        key = jax.random.key(ORDER_SEED, impl="threefry2x32")

        def shuffled(epoch: Array) -> Array:
            return jax.random.permutation(jax.random.fold_in(key, epoch), plain)

        return first_epoch, jax.lax.map(shuffled, epochs)


def bucketed(spec: TaskSpec, examples: Batch, lengths: Sequence[int]) -> tuple[Batch, ...]:
    """Examples in parts by the length of their inputs, each cut to its bucket's; no empty parts.

    Targets of one answer a step are cut too, unless they are the task's own.

    Args:
        spec: of the task.
        examples: right-padded, all in arrays of one length T.
        lengths: the greatest of each bucket, ascending; the last is at least that of any example.

    Raises:
        SeqexpError: the lengths don't ascend, or an example is longer than the last.

    >>> from seqexp.types import Sequences, Tokens
    >>> spec = TaskSpec(Tokens(6), "sequence", 2, max_length=3, causal=False)
    >>> inputs = np.array([[1, 0, 0], [1, 2, 3], [4, 5, 0]])
    >>> examples = Batch(Sequences(inputs, np.array([1, 3, 2])), np.array([0, 1, 0]))
    >>> parts = bucketed(spec, examples, [2, 3])
    >>> [(part.inputs.values.tolist(), part.targets.tolist()) for part in parts]
    [([[1, 0], [4, 5]], [0, 0]), ([[1, 2, 3]], [1])]
    """
    own = np.asarray(examples.inputs.lengths)
    if not lengths or any(a >= b for a, b in pairwise(lengths)):
        raise SeqexpError(f"the lengths of buckets must ascend, not {list(lengths)}")
    if own.max(initial=0) > lengths[-1]:
        raise SeqexpError(
            f"an example of {own.max()} steps is longer than any bucket, {list(lengths)}: add a "
            "longer one"
        )
    parts = []
    for shorter, longest in pairwise([-1, *lengths]):
        rows = np.flatnonzero((own > shorter) & (own <= longest))
        if len(rows):
            part = jax.tree.map(lambda leaf, rows=rows: jnp.asarray(leaf)[rows], examples)
            inputs = part.inputs._replace(values=part.inputs.values[:, :longest])
            targets = part.targets
            if spec.answer == "step" and spec.targets != "own":
                targets = targets[:, :longest]
            parts.append(part._replace(inputs=inputs, targets=targets))
    return tuple(parts)
