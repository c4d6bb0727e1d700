"""A toy classification of sequences of very different lengths, in three length buckets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

from seqexp.data.buckets import LengthBuckets, bucketed
from seqexp.tasks.metrics import accuracy, cross_entropy
from seqexp.types import (
    Batch,
    Prediction,
    Score,
    Sequences,
    Splits,
    Sums,
    Task,
    TaskSpec,
    Tokens,
    means,
)

CLASSES, LENGTHS = 3, (4, 8, 12)


@dataclass(frozen=True)
class Counting(Task):
    """How many 1s are among tokens of 0 and 1, modulo 3; the test is also read at twice the length.

    Attributes:
        examples: of training; of each other split half as many.
        constant: what the batches of the buckets have in common.
    """

    examples: int
    constant: Literal["examples", "tokens"] = "examples"

    @property
    def spec(self) -> TaskSpec:
        return TaskSpec(Tokens(2), "sequence", CLASSES, 2 * LENGTHS[-1], causal=False)

    @property
    def score(self) -> Score:
        return Score("f1", "max")

    def load(self) -> Splits:
        rng = np.random.default_rng(7)

        def some(count: int, longest: int) -> Batch:
            tokens = rng.integers(0, 2, (count, longest)).astype(np.int32)
            lengths = rng.integers(1, longest + 1, count).astype(np.int32)
            inputs = Sequences(jnp.asarray(tokens), jnp.asarray(lengths))
            ones = np.where(np.asarray(inputs.mask), tokens, 0).sum(1)
            return Batch(inputs, jnp.asarray(ones % CLASSES, jnp.int32))

        half, longest = self.examples // 2, LENGTHS[-1]
        train = bucketed(self.spec, some(self.examples, longest), LENGTHS)
        held_out = {
            "valid": bucketed(self.spec, some(half, longest), LENGTHS),
            "test": bucketed(self.spec, some(half, longest), LENGTHS),
            "length 2x": (some(half, 2 * longest),),
        }
        return Splits(LengthBuckets(train, self.constant), held_out)

    @property
    def shown(self) -> int:
        return 3

    def show(
        self, batch: Batch, outputs: np.ndarray, generated: Sequences | None
    ) -> Mapping[str, str | np.ndarray]:
        """The true tokens of each, and its logits as a picture."""
        whole = zip(*map(np.asarray, batch.inputs), batch.targets, outputs.argmax(-1), strict=True)
        lines = [f"{tokens[:n].tolist()}: {y}, said {said}" for tokens, n, y, said in whole]
        return {"answers": "\n".join(lines), "logits": 1 / (1 + np.exp(-outputs))}

    def measure(self, prediction: Prediction, batch: Batch) -> Sums:
        logits, mask = prediction.outputs, self.spec.answer_mask(batch)
        said = jax.nn.one_hot(jnp.argmax(logits, -1), CLASSES) * mask[:, None]
        return {
            "loss": cross_entropy(logits, batch.targets, mask),
            "accuracy": accuracy(logits, batch.targets, mask),
            "confusion": jax.nn.one_hot(batch.targets, CLASSES).T @ said,
        }

    def summarize(self, sums: Sums) -> Mapping[str, float]:
        """Means, and the mean F1 of the classes."""
        confusion = np.asarray(sums["confusion"])
        both = confusion.sum(0) + confusion.sum(1)
        each = 2 * np.diag(confusion) / np.where(both > 0, both, 1)
        return {**means(sums), "f1": float(each.mean())}
