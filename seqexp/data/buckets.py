"""Length buckets: batches of sequences of like lengths, so that little of them is padding."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from seqexp.data.bucket_lengths import bucket_lengths, example_lengths
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

ORDER_SEED = 20_161_126
"""Draws the order of the buckets: the same for every member, so that they share it."""


class BucketPlan(NamedTuple):
    """The epochs that the steps of one plan fall in.

    Attributes:
        first_epoch: int32 scalar, the epoch of the first row.
        ranks: `[epochs, S]` int32, how many batches of its own bucket come before a step.
        examples: for each part `[epochs, n]` int32, the n examples that its batches hold, in their
            order; all examples are numbered from 0, part by part.
    """

    first_epoch: Array
    ranks: Array
    examples: tuple[Array, ...]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class LengthBuckets(Stream):
    """Finite examples in parts of different padded lengths; a batch has the length of one part.

    An epoch takes every example once. The examples of a part that do not fill a batch move up to
    the next longer part, which takes them before its own. With E empty examples (of length 0, which
    weigh nothing) beside those of the shortest part, as few as it needs, every batch is full:

        c_0 = E,    S_b = (c_b + N_b) // B_b,    c_{b+1} = (c_b + N_b) mod B_b,    c_K = 0

    for the S_b batches of part b, so that one batch of an epoch holds fewer than B_b examples, if
    any does. A part whose S_b is 0 is no bucket. Epoch e runs through its batches in the order
    `permutation(fold_in(k, e))` with a key k of the stream's own; which examples fill them, and
    which move up, derives from the member's key:

        parts      lengths up to 8: 70 examples, up to 16: 33      batch_size 32
        an epoch   32 of the first, 7 of the first (and 25 empty), 31 of the first and 1 of the
                   second padded to 16, 32 of the second

    Attributes:
        parts: the examples of each length, ascending; `bucketed` makes them.
        constant: what the batches of all buckets have in common: their "examples", `batch_size`, or
            about their "tokens", `batch_size` times the greatest length.
    """

    parts: tuple[Batch, ...]
    constant: Literal["examples", "tokens"] = field(default="examples", metadata={"static": True})

    @property
    def revision(self) -> str:
        """The second: in the first, the last batch of every bucket was filled up."""
        return "length buckets, 2"

    def buckets(self, batch_size: int) -> tuple[Bucket, ...]:
        """One for each part that has batches. Raises SeqexpError for an empty batch."""
        shapes, turns = self._shapes(batch_size), self._turns(batch_size)
        return tuple(shape for shape, turn in zip(shapes, turns, strict=True) if turn.batches)

    def order(self, first_step: Array, max_steps: int, batch_size: int) -> Array:
        """The buckets of the next steps, by the epoch alone."""
        first_epoch, orders = self._orders(first_step, max_steps, batch_size)
        steps = jnp.asarray(first_step, jnp.int32) + jnp.arange(max_steps, dtype=jnp.int32)
        epoch, place = jnp.divmod(steps, orders.shape[1])
        return orders[epoch - first_epoch, place]

    def plan(self, key: Array, first_step: Array, max_steps: int, batch_size: int) -> BucketPlan:
        """The orders of the examples in every epoch that the steps can touch."""
        first_epoch, orders = self._orders(first_step, max_steps, batch_size)
        same = orders[:, :, None] == jnp.arange(len(self.buckets(batch_size)))
        before = jnp.cumsum(same, axis=1, dtype=jnp.int32) - same
        ranks = jnp.take_along_axis(before, orders[:, :, None], axis=2)[..., 0]
        epochs = first_epoch + jnp.arange(len(orders), dtype=jnp.int32)
        shuffled = []
        for index, (first, count) in enumerate(zip(self._firsts, self._counts, strict=True)):
            own = jax.random.fold_in(key, index)
            numbers = first + jnp.arange(count, dtype=jnp.int32)

            def shuffle(epoch: Array, own: Array = own, numbers: Array = numbers) -> Array:
                return jax.random.permutation(jax.random.fold_in(own, epoch), numbers)

            # Not vmap, as in `Examples`.
            shuffled.append(jax.lax.map(shuffle, epochs))
        taken = [turn.examples for turn in self._turns(batch_size)]
        return BucketPlan(first_epoch, ranks, tuple(_moved_up(shuffled, taken, jnp.concatenate)))

    def batch(self, plan: BucketPlan, key: Array, step: Array, bucket: Bucket) -> Batch:
        """The examples of a step; `plan` must cover it."""
        B, T = bucket
        own = [part.inputs.values.shape[1] for part in self.parts].index(T)
        taken = [examples.shape[1] for examples in plan.examples]
        epoch, place = jnp.divmod(jnp.asarray(step, jnp.int32), plan.ranks.shape[1])
        row = epoch - plan.first_epoch
        # Of a step of another bucket this is nonsense, which nobody asks for.
        places = plan.ranks[row, place] * B + jnp.arange(B, dtype=jnp.int32)
        chosen = plan.examples[own][row].at[places].get(mode="fill", fill_value=-1)
        batch = jax.tree.map(lambda a: jnp.zeros((B, *a.shape[1:]), a.dtype), self.parts[own])
        for source in self._sources(taken)[own]:
            places = chosen - self._firsts[source]
            there = (places >= 0) & (places < self._counts[source])

            def put(array: Array, into: Array, at: Array = places, where: Array = there) -> Array:
                rows = array.at[at].get(mode="clip")
                longer = [(0, to - of) for to, of in zip(into.shape, rows.shape, strict=True)]
                where = where.reshape(B, *(1,) * (rows.ndim - 1))
                return jnp.where(where, jnp.pad(rows, longer), into)

            batch = jax.tree.map(put, self.parts[source], batch)
        return batch

    def steps_per_epoch(self, batch_size: int) -> int:
        """The sum of all S_b."""
        return sum(turn.batches for turn in self._turns(batch_size))

    def all_examples(self) -> tuple[Batch, ...]:
        """The parts."""
        return self.parts

    @property
    def _counts(self) -> list[int]:
        return [part.inputs.lengths.shape[0] for part in self.parts]

    @property
    def _firsts(self) -> list[int]:
        """The number of each part's first example."""
        return [0, *np.cumsum(self._counts[:-1]).tolist()]

    def _shapes(self, batch_size: int) -> list[Bucket]:
        """What a batch of each part would be."""
        if batch_size < 1:
            raise SeqexpError(f"batch_size is {batch_size}: choose one of at least 1")
        lengths = [part.inputs.values.shape[1] for part in self.parts]
        if any(a >= b for a, b in pairwise(lengths)):
            raise SeqexpError(f"the parts must ascend in length, not {lengths}")
        room = batch_size * lengths[-1]
        sizes = [batch_size if self.constant == "examples" else room // T for T in lengths]
        return list(map(Bucket, sizes, lengths))

    def _turns(self, batch_size: int) -> list[_Turn]:
        return _turns(self._counts, [shape.batch_size for shape in self._shapes(batch_size)])

    def _sources(self, taken: Sequence[int]) -> list[list[int]]:
        """The parts that each part's batches may draw from, if they take so many examples."""
        parts = [np.full(count, part) for part, count in enumerate(self._counts)]
        return [np.unique(own).tolist() for own in _moved_up(parts, taken, np.concatenate)]

    def _orders(self, first_step: Array, max_steps: int, batch_size: int) -> tuple[Array, Array]:
        """The first epoch that the steps touch, and `[epochs, S]` int32 buckets."""
        batches = [turn.batches for turn in self._turns(batch_size) if turn.batches]
        S = sum(batches)
        plain = jnp.asarray(np.repeat(np.arange(len(batches)), batches), jnp.int32)
        first_epoch = jnp.asarray(first_step, jnp.int32) // S
        epochs = first_epoch + jnp.arange((max_steps - 1) // S + 2, dtype=jnp.int32)
        key = jax.random.key(ORDER_SEED, impl="threefry2x32")

        def shuffled(epoch: Array) -> Array:
            return jax.random.permutation(jax.random.fold_in(key, epoch), plain)

        return first_epoch, jax.lax.map(shuffled, epochs)


class _Turn(NamedTuple):
    """What an epoch takes at one padded length: S_b batches, and the examples in them."""

    batches: int
    examples: int


def _turns(counts: Sequence[int], sizes: Sequence[int]) -> list[_Turn]:
    """Each part's, by the equation of `LengthBuckets`; the sizes do not ascend."""
    for empty in range(max(sizes)):
        turns, left = [], empty
        for count, size in zip(counts, sizes, strict=True):
            batches, left = divmod(left + count, size)
            turns.append(_Turn(batches, batches * size))
        if left == 0:
            break
    else:
        raise AssertionError("some number of empty examples fills every batch")
    first = next(place for place, turn in enumerate(turns) if turn.batches)
    turns[first] = turns[first]._replace(examples=turns[first].examples - empty)
    return turns


def _moved_up(own: Sequence[Any], taken: Sequence[int], join: Callable[..., Any]) -> list[Any]:
    """The first so many of `[..., n]`: those that were left before, then each part's own."""
    found, left = [], own[0][..., :0]
    for each, count in zip(own, taken, strict=True):
        waiting = join([left, each], axis=-1)
        found.append(waiting[..., :count])
        left = waiting[..., count:]
    return found


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
        buckets: how many at most; "auto" for as few of 1 to 16 as waste at most 7 %.
    """
    train = splits["train"]
    lengths = bucket_lengths(train, buckets)

    def held_out(split: Batch) -> tuple[Batch, ...]:
        longest = int(example_lengths(split).max(initial=1))
        return bucketed(spec, split, [*lengths, longest] if longest > lengths[-1] else lengths)

    parts = bucketed(spec, train, lengths)
    stream = Examples(*parts) if len(parts) == 1 else LengthBuckets(parts)
    return Splits(stream, {name: held_out(s) for name, s in splits.items() if name != "train"})
