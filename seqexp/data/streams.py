"""Streams of training batches: pure functions of a key and a step number, nothing to save.

A stream is a pytree. The absolute step decides the batch, so a run that is resumed, or
evaluated more often, sees the same examples in the same order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from seqexp.data.padding import consecutive_windows
from seqexp.types import Array, Batch, Bucket, SeqexpError, Sequences, Stream


class Orders(NamedTuple):
    """The orders of the epochs that the steps of one plan fall in.

    Attributes:
        first_epoch: int32 scalar, the epoch of the first row.
        examples: `[epochs, N]` int32, a permutation of the examples for each epoch.
    """

    first_epoch: Array
    examples: Array


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Examples(Stream):
    """A finite set of examples, in a new order each epoch; an epoch's incomplete batch is dropped.

    With S = N // B steps an epoch, step s takes B examples of `permutation(fold_in(key, s // S))`.

    Attributes:
        split: all examples, with N in the place of B.
    """

    split: Batch

    def plan(self, key: Array, first_step: Array, max_steps: int, batch_size: int) -> Orders:
        """The order of every epoch that `max_steps` steps from `first_step` can touch.

        Raises SeqexpError where one batch needs more examples than there are.
        """
        steps = self.steps_per_epoch(batch_size)
        first_epoch = jnp.asarray(first_step, jnp.int32) // steps
        epochs = first_epoch + jnp.arange((max_steps - 1) // steps + 2, dtype=jnp.int32)
        examples = jnp.arange(_count(self.split), dtype=jnp.int32)

        def order(epoch: Array) -> Array:
            return jax.random.permutation(jax.random.fold_in(key, epoch), examples)

        # Not vmap: under it some key types draw other numbers, and an epoch's order would then
        # depend on how many epochs were planned with it.
        return Orders(first_epoch, jax.lax.map(order, epochs))

    def buckets(self, batch_size: int) -> tuple[Bucket]:
        """One, as long as the arrays."""
        return (Bucket(batch_size, self.split.inputs.values.shape[1]),)

    def batch(self, plan: Orders, key: Array, step: Array, bucket: Bucket) -> Batch:
        """The examples of a step; `plan` must cover it."""
        B = bucket.batch_size
        epoch, place = jnp.divmod(jnp.asarray(step, jnp.int32), self.steps_per_epoch(B))
        order = plan.examples[epoch - plan.first_epoch]
        chosen = jax.lax.dynamic_slice_in_dim(order, place * B, B)
        return jax.tree.map(lambda array: array[chosen], self.split)

    def steps_per_epoch(self, batch_size: int) -> int:
        """N // B. Raises SeqexpError where one batch needs more examples than there are."""
        count = _count(self.split)
        if not 1 <= batch_size <= count:
            raise SeqexpError(
                f"batch_size is {batch_size}, but the training split has {count} examples; "
                f"choose a batch_size from 1 to {count}"
            )
        return count // batch_size

    def all_examples(self) -> tuple[Batch]:
        """The split."""
        return (self.split,)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Windows(Stream):
    """Windows of one long token sequence at uniformly random offsets, for next-token models.

    With tokens a b c d e f, length 3 and offset 1: inputs b c d, targets c d e.

    Attributes:
        tokens: `[N]` int32, N > length.
        length: T, the tokens that a window predicts.
    """

    tokens: Array
    length: int = field(metadata={"static": True})

    def buckets(self, batch_size: int) -> tuple[Bucket]:
        """One, of the windows' length."""
        return (Bucket(batch_size, self.length),)

    def batch(self, plan: None, key: Array, step: Array, bucket: Bucket) -> Batch:
        """B windows, `[B, T]`, with offsets drawn by `fold_in(key, step)`."""
        key, B = jax.random.fold_in(key, step), bucket.batch_size
        offsets = jax.random.randint(key, (B, 1), 0, self.tokens.shape[0] - self.length, jnp.int32)
        windows = self.tokens[offsets + jnp.arange(self.length + 1, dtype=jnp.int32)]
        lengths = jnp.full((B,), self.length, jnp.int32)
        return Batch(Sequences(windows[:, :-1], lengths), windows[:, 1:])

    def all_examples(self) -> tuple[Batch]:
        """Consecutive windows, which hold each token."""
        return (consecutive_windows(np.asarray(self.tokens), self.length),)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Generated(Stream):
    """Examples drawn inside the program, new ones each step.

    Attributes:
        make: `(key, B) -> Batch`, pure and jittable. Streams of equal `make` share a program.
    """

    make: Callable[[Array, int], Batch] = field(metadata={"static": True})

    def buckets(self, batch_size: int) -> tuple[Bucket]:
        """One, of the length that `make` gives."""
        shapes = jax.eval_shape(lambda: self.make(jax.random.key(0), batch_size))
        return (Bucket(batch_size, shapes.inputs.values.shape[1]),)

    def batch(self, plan: None, key: Array, step: Array, bucket: Bucket) -> Batch:
        """`make(fold_in(key, step), B)`."""
        return self.make(jax.random.fold_in(key, step), bucket.batch_size)

    def split(self, seed: int, count: int) -> tuple[Batch]:
        """A split that never changes: `make(key(seed), count)`.

        Raises:
            MemoryError: its arrays, and as much to compute them, surely don't fit.
        """
        key = split_key(seed)
        require_memory(self.make, key, count)
        return (self.make(key, count),)


def split_key(seed: int) -> Array:
    """The key of a split that never changes, whatever keys JAX makes by default."""
    return jax.random.key(seed, impl="threefry2x32")


def require_memory(make: Callable[[Array, int], Batch], key: Array, count: int) -> None:
    """Raises MemoryError where examples, and as much to compute them, surely don't fit."""
    shapes = jax.eval_shape(lambda key: make(key, count), key)
    # Asked of numpy, for XLA may end the process, or never deliver.
    leaves = jax.tree.leaves(shapes)
    np.empty(2 * sum(leaf.size * leaf.dtype.itemsize for leaf in leaves), np.uint8)


def _count(split: Batch) -> int:
    return split.inputs.lengths.shape[0]
