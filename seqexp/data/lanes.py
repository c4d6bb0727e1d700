"""A long text read from one window to the next, by as many readers as a batch has rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from seqexp.data.padding import consecutive_windows
from seqexp.types import Array, Batch, Bucket, SeqexpError, Sequences, Stream


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Lanes(Stream):
    """Consecutive windows of B lanes of one long token sequence, for stateful next-token models.

    In an epoch each token but the first is predicted once, from the one before it. These N - 1
    pairs, as a circle, are cut at an offset drawn by `fold_in(key, epoch)` into B lanes, and each
    lane into S windows of at most T pairs; of lanes, and of the windows of a lane, none is longer
    than another by more than one. The batch of step s has window s mod S of every lane, and
    continues the one before it unless that is window 0.

    With tokens a b c d e f g h i, B = 2, T = 2 and offset 6 the lanes are g h a b and c d e f:

        step 0  inputs g h, c d  targets h i, d e
        step 1  inputs a b, e f  targets b c, f g

    Attributes:
        tokens: `[N]` int32.
        length: T, the most tokens that a window predicts.
    """

    tokens: Array
    length: int = field(metadata={"static": True})

    def buckets(self, batch_size: int) -> tuple[Bucket]:
        """One, of the windows' greatest length."""
        return (Bucket(batch_size, self.length),)

    def batch(self, plan: None, key: Array, step: Array, bucket: Bucket) -> Batch:
        """A window of each lane, `[B, T]`, right-padded."""
        B, pairs = bucket.batch_size, self._pairs
        steps = self.steps_per_epoch(B)
        epoch, window = jnp.divmod(jnp.asarray(step, jnp.int32), steps)
        offset = jax.random.randint(jax.random.fold_in(key, epoch), (), 0, pairs, jnp.int32)
        lane_start, lane_length = _part(pairs, B, jnp.arange(B, dtype=jnp.int32))
        start, lengths = _part(lane_length, steps, window)
        first = (offset + lane_start + start) % pairs
        places = (first[:, None] + jnp.arange(bucket.length, dtype=jnp.int32)) % pairs
        return Batch(Sequences(self.tokens[places], lengths), self.tokens[places + 1])

    def continues(self, step: Array, batch_size: int) -> Array:
        """Within an epoch."""
        return jnp.asarray(step, jnp.int32) % self.steps_per_epoch(batch_size) != 0

    def steps_per_epoch(self, batch_size: int) -> int:
        """S = ceil(ceil((N - 1) / B) / T). Raises SeqexpError for more lanes than pairs."""
        if not 1 <= batch_size <= self._pairs:
            raise SeqexpError(
                f"batch_size is {batch_size}, but the training text has {self._pairs} tokens to "
                f"predict; choose a batch_size from 1 to {self._pairs}"
            )
        longest_lane = -(-self._pairs // batch_size)
        return -(-longest_lane // self.length)

    def all_examples(self) -> tuple[Batch]:
        """Consecutive windows, which predict each token but the first."""
        return (consecutive_windows(np.asarray(self.tokens), self.length),)

    @property
    def _pairs(self) -> int:
        return self.tokens.shape[0] - 1


def _part(whole: Any, parts: int, number: Array) -> tuple[Array, Array]:
    """Start and length of a part, where parts of nearly equal length make a whole; int32."""
    length, longer = jnp.divmod(jnp.asarray(whole, jnp.int32), jnp.int32(parts))
    return number * length + jnp.minimum(number, longer), length + (number < longer)
