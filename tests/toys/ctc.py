"""A toy of speech: frames of symbols that last one step or two, with silence between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import optax

from seqexp.data.streams import Generated
from seqexp.types import (
    CTC,
    Array,
    Batch,
    Features,
    Mean,
    Prediction,
    Score,
    Sequences,
    Splits,
    Sums,
    Task,
    TaskSpec,
)

SYMBOLS, BLANK = 3, 0


@dataclass(frozen=True)
class ToySpeech(Task):
    """Each of 1 to `most` symbols is one-hot for one or two of its four frames, then silence.

    The loss is that of connectionist temporal classification (Graves et al. 2006,
    https://doi.org/10.1145/1143844.1143891), of optax; the score is the label error rate of what a
    prefix beam search finds.
    """

    most: int
    examples: int

    @property
    def spec(self) -> TaskSpec:
        return TaskSpec(
            Features(SYMBOLS), "step", 1 + SYMBOLS, 4 * self.most, causal=False, targets="own"
        )

    @property
    def score(self) -> Score:
        return Score("label_error_rate", "min")

    @property
    def decoding(self) -> CTC:
        return CTC(BLANK, width=2)

    def load(self) -> Splits:
        stream = Generated(self.make)
        held_out = {"valid": stream.split(1, self.examples), "test": stream.split(2, self.examples)}
        return Splits(stream, held_out)

    def make(self, key: Array, batch_size: int) -> Batch:
        B, U = batch_size, self.most
        label_key, length_key, last_key = jax.random.split(key, 3)
        labels = jax.random.randint(label_key, (B, U), 0, SYMBOLS, jnp.int32)
        lengths = jax.random.randint(length_key, (B,), 1, U + 1, jnp.int32)
        frames = jax.random.randint(last_key, (B, U), 1, 3, jnp.int32)
        heard = jnp.arange(4) < frames[..., None]
        inputs = jax.nn.one_hot(labels, SYMBOLS)[:, :, None] * heard[..., None]
        inputs = inputs.reshape(B, 4 * U, SYMBOLS)
        return Batch(Sequences(inputs, 4 * lengths), Sequences(1 + labels, lengths))

    def measure(self, prediction: Prediction, batch: Batch) -> Sums:
        mask, labels = self.spec.answer_mask(batch), batch.targets
        logits = jnp.where(mask[..., None], prediction.outputs, 0)
        losses = optax.ctc_loss(logits, 1.0 - mask, labels.values, 1.0 - labels.mask)
        counts = batch.inputs.lengths > 0
        total = jnp.sum(jnp.where(counts, losses, 0))
        return {"loss": Mean(total, jnp.sum(counts, dtype=jnp.float32))}

    def judge(self, generated: Sequences, batch: Batch) -> Mapping[str, float]:
        """Edits over labels."""
        edits = labels = 0
        for row in range(len(batch.inputs.lengths)):
            said = np.asarray(generated.values)[row, : generated.lengths[row]].tolist()
            right = np.asarray(batch.targets.values)[row, : batch.targets.lengths[row]].tolist()
            edits, labels = edits + edit_distance(said, right), labels + len(right)
        return {"label_error_rate": edits / labels}


def edit_distance(said: list[int], right: list[int]) -> int:
    """Insertions, deletions and substitutions.

    >>> edit_distance([1, 2, 3], [2, 3, 3, 1])
    3
    """
    row = list(range(len(right) + 1))
    for i, one in enumerate(said, start=1):
        before, row = row, [i]
        for j, other in enumerate(right, start=1):
            row.append(min(before[j] + 1, row[-1] + 1, before[j - 1] + (one != other)))
    return row[-1]
