"""Length buckets: batches of sequences of like lengths, so that little of them is padding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from seqexp.data.streams import Examples
from seqexp.types import (
    Array,
    Batch,
    Bucket,
    SeqexpError,
    Sequences,
    Splits,
    Stream,
    TaskSpec,
)

WASTED, MOST, CANDIDATES = 0.1, 8, 512
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

    An epoch takes S = sum_b ceil(N_b / B_b) steps, and every example once; a part's last batch is
    filled up with examples of length 0, which weigh nothing. Epoch e runs through its batches in
    the order `permutation(fold_in(k, e))` with a key k of the stream's own; which examples fill
    them derives from the member's key:

        parts      lengths up to 8: 70 examples, up to 16: 33      batch_size 32
        an epoch   32 of the first, 1 of the second, 6 of the first, 32 of each

    Attributes:
        parts: the examples of each bucket, `bucketed` makes them.
        constant: what the batches of all buckets have in common: their "examples", `batch_size`, or
            about their "tokens", `batch_size` times the greatest length.
    """

    parts: tuple[Batch, ...]
    constant: Literal["examples", "tokens"] = field(default="examples", metadata={"static": True})

    def buckets(self, batch_size: int) -> tuple[Bucket, ...]:
        """One a part. Raises SeqexpError for an empty batch."""
        if batch_size < 1:
            raise SeqexpError(f"batch_size is {batch_size}: choose one of at least 1")
        lengths = [part.inputs.values.shape[1] for part in self.parts]
        tokens = batch_size * max(lengths)
        return tuple(
            Bucket(batch_size if self.constant == "examples" else tokens // length, length)
            for length in lengths
        )

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
        # Of a step of another bucket this is nonsense, which nobody asks for.
        places = plan.ranks[row, place] * B + jnp.arange(B, dtype=jnp.int32)
        chosen = plan.examples[index][row].at[places].get(mode="clip")
        there = places < plan.examples[index].shape[1]

        def take(array: Array) -> Array:
            mask = there.reshape(B, *(1,) * (array.ndim - 1))
            return jnp.where(mask, array[chosen], jnp.zeros_like(array, shape=()))

        return jax.tree.map(take, self.parts[index])

    def steps_per_epoch(self, batch_size: int) -> int:
        """S."""
        return sum(self._batches(batch_size))

    def all_examples(self) -> tuple[Batch, ...]:
        """The parts."""
        return self.parts

    def _batches(self, batch_size: int) -> list[int]:
        buckets = self.buckets(batch_size)
        counts = [part.inputs.lengths.shape[0] for part in self.parts]
        return [-(-n // bucket.batch_size) for n, bucket in zip(counts, buckets, strict=True)]

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
    """Examples in parts by their length, each cut to its bucket's; no empty parts.

    The length of an example is that of its inputs, or of its prefix where that is longer. Targets
    of one answer a step, and of free answers, are cut too, unless they are the task's own.

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
    own = example_lengths(examples)
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
            # In NumPy: JAX would compile a program for each shape.
            part = jax.tree.map(lambda leaf, rows=rows: np.asarray(leaf)[rows], examples)
            parts.append(jax.tree.map(jnp.asarray, _cut(spec, part, longest)))
    return tuple(parts)


def _cut(spec: TaskSpec, part: Batch, longest: int) -> Batch:
    def cut(read: Sequences) -> Sequences:
        return read._replace(values=read.values[:, :longest])

    targets = part.targets
    if spec.answer != "sequence" and spec.targets != "own":
        targets = targets[:, :longest]
    return Batch(cut(part.inputs), targets, part.prefix and cut(part.prefix))


def example_lengths(examples: Batch) -> np.ndarray:
    """`[N]` steps of each example: of its inputs, or of its prefix where that is longer."""
    inputs = np.asarray(examples.inputs.lengths)
    return inputs if examples.prefix is None else np.maximum(inputs, examples.prefix.lengths)


def best_lengths(lengths: np.ndarray, buckets: int) -> list[int]:
    """The greatest length of each of at most so many buckets, with the least padding in all.

    It minimises sum_n (e(l_n) - l_n), e(l) the least bucket length of at least l, by dynamic
    programming over the lengths that occur; over 512 quantiles of them where they are more.

    Args:
        lengths: `[N]` of all examples.
        buckets: at least 1.

    >>> best_lengths(np.array([1, 1, 2, 9, 9, 10]), buckets=2)
    [2, 10]
    """
    own = np.maximum(lengths, 1)
    ends = np.unique(own)
    if len(ends) > CANDIDATES:
        ends = np.unique(np.quantile(own, np.linspace(0, 1, CANDIDATES), method="higher"))
    below = np.concatenate([[0], np.searchsorted(np.sort(own), ends, side="right")])
    # least[j]: padded steps of the examples up to the j-th length, in so many buckets as yet.
    least, choices = np.concatenate([[0.0], np.full(len(ends), np.inf)]), []
    for _ in range(min(buckets, len(ends))):
        # A bucket that ends at length j begins behind i: [i, j].
        padded = least[:-1, None] + (below[None, 1:] - below[:-1, None]) * ends
        padded[np.tril_indices(len(ends), -1)] = np.inf
        choices.append(padded.argmin(0))
        least = np.concatenate([[np.inf], padded.min(0)])
    place, found = len(ends), []
    for begins in reversed(choices):
        found.append(int(ends[place - 1]))
        place = int(begins[place - 1])
    return found[::-1]


def bucket_lengths(lengths: np.ndarray, buckets: int | Literal["auto"]) -> list[int]:
    """`best_lengths` for a number of buckets; "auto" for as few of 1 to 8 as waste at most 10 %."""
    if buckets != "auto":
        return best_lengths(lengths, buckets)
    found: list[int] = []
    for count in range(1, MOST + 1):
        found = best_lengths(lengths, count)
        ends = np.asarray(found)[np.searchsorted(found, lengths)]
        if 1 - lengths.sum() / ends.sum() <= WASTED:
            break
    return found


def require_buckets(task: str, buckets: int | str) -> None:
    """Raises SeqexpError unless it is "auto" or an integer of at least 1."""
    if buckets != "auto" and (isinstance(buckets, bool | str) or buckets < 1):
        raise SeqexpError(f"{task}: buckets must be auto or an integer >= 1, but is {buckets!r}")


def splits_in_buckets(
    spec: TaskSpec, splits: Mapping[str, Batch], buckets: int | Literal["auto"]
) -> Splits:
    """A task's data with the buckets that suit its training split; one bucket is `Examples`.

    What is held out is cut to the same lengths, and longer ones of its own where it needs them.

    Args:
        spec: of the task.
        splits: "train" and all that is held out, each right-padded in arrays of one length.
        buckets: how many at most; "auto" for as few of 1 to 8 as waste at most 10 %.
    """
    train = splits["train"]
    lengths = bucket_lengths(example_lengths(train), buckets)

    def held_out(split: Batch) -> tuple[Batch, ...]:
        longest = int(example_lengths(split).max(initial=1))
        return bucketed(spec, split, [*lengths, longest] if longest > lengths[-1] else lengths)

    parts = bucketed(spec, train, lengths)
    stream = Examples(*parts) if len(parts) == 1 else LengthBuckets(parts)
    return Splits(stream, {name: held_out(s) for name, s in splits.items() if name != "train"})
