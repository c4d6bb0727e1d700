"""Streams of training batches: pure functions of a key and a step number, nothing to save.

A stream is a pytree. The absolute step decides the batch, so a run that is resumed, or that is
cut into other chunks, sees the same examples in the same order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from seqexp.data.padding import consecutive_windows
from seqexp.types import Array, Batch, SeqexpError


class Orders(NamedTuple):
    """The orders of the epochs that a chunk of steps touches.

    Attributes:
        first_epoch: int32 scalar, the epoch of the first row.
        examples: `[epochs, N]` int32, a permutation of the examples for each epoch.
    """

    first_epoch: Array
    examples: Array


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Examples:
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
        examples = jnp.arange(self.split.lengths.shape[0], dtype=jnp.int32)

        def order(epoch: Array) -> Array:
            return jax.random.permutation(jax.random.fold_in(key, epoch), examples)

        # Not vmap: under it some key types draw other numbers, and an epoch's order would then
        # depend on how many epochs were planned with it.
        return Orders(first_epoch, jax.lax.map(order, epochs))

    def batch(self, plan: Orders, key: Array, step: Array, batch_size: int) -> Batch:
        """The examples of a step; `plan` must cover it."""
        steps = self.steps_per_epoch(batch_size)
        epoch, place = jnp.divmod(jnp.asarray(step, jnp.int32), steps)
        order = plan.examples[epoch - plan.first_epoch]
        chosen = jax.lax.dynamic_slice_in_dim(order, place * batch_size, batch_size)
        return jax.tree.map(lambda array: array[chosen], self.split)

    def steps_per_epoch(self, batch_size: int) -> int:
        """N // B. Raises SeqexpError where one batch needs more examples than there are."""
        count = self.split.lengths.shape[0]
        if not 1 <= batch_size <= count:
            raise SeqexpError(
                f"batch_size is {batch_size}, but the training split has {count} examples; "
                f"choose a batch_size from 1 to {count}"
            )
        return count // batch_size

    def all_examples(self) -> Batch:
        """The split."""
        return self.split


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Windows:
    """Windows of one long token sequence at uniformly random offsets, for next-token models.

    With tokens a b c d e f, length 3 and offset 1: inputs b c d, targets c d e.

    Attributes:
        tokens: `[N]` int32, N > length.
        length: T, the tokens that a window predicts.
    """

    tokens: Array
    length: int = field(metadata={"static": True})

    def plan(self, key: Array, first_step: Array, max_steps: int, batch_size: int) -> None:
        """Nothing: windows are drawn independently."""

    def batch(self, plan: None, key: Array, step: Array, batch_size: int) -> Batch:
        """B windows, `[B, T]`, with offsets drawn by `fold_in(key, step)`."""
        key = jax.random.fold_in(key, step)
        offsets = jax.random.randint(
            key, (batch_size, 1), 0, self.tokens.shape[0] - self.length, jnp.int32
        )
        windows = self.tokens[offsets + jnp.arange(self.length + 1, dtype=jnp.int32)]
        lengths = jnp.full((batch_size,), self.length, jnp.int32)
        return Batch(windows[:, :-1], windows[:, 1:], lengths)

    def steps_per_epoch(self, batch_size: int) -> None:
        """None: random windows overlap, so no number of steps sees each token once."""

    def all_examples(self) -> Batch:
        """Consecutive windows, which hold each token."""
        return consecutive_windows(np.asarray(self.tokens), self.length)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Generated:
    """Examples drawn inside the program, new ones each step.

    Attributes:
        make: `(key, B) -> Batch`, pure and jittable. Streams of equal `make` share a program.
    """

    make: Callable[[Array, int], Batch] = field(metadata={"static": True})

    def plan(self, key: Array, first_step: Array, max_steps: int, batch_size: int) -> None:
        """Nothing: examples are drawn independently."""

    def batch(self, plan: None, key: Array, step: Array, batch_size: int) -> Batch:
        """`make(fold_in(key, step), B)`."""
        return self.make(jax.random.fold_in(key, step), batch_size)

    def split(self, seed: int, count: int) -> Batch:
        """A split that never changes: `make(key(seed), count)`.

        Raises:
            MemoryError: its arrays, and as much to compute them, surely don't fit.
        """
        key = jax.random.key(seed, impl="threefry2x32")
        shapes = jax.eval_shape(lambda key: self.make(key, count), key)
        # Asked of numpy, for XLA may end the process, or never deliver.
        np.empty(2 * sum(leaf.size * leaf.dtype.itemsize for leaf in shapes), np.uint8)
        return self.make(key, count)

    def steps_per_epoch(self, batch_size: int) -> None:
        """None: no example comes twice."""

    def all_examples(self) -> None:
        """None: there is no end of them."""
