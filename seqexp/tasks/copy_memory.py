"""The copy memory problem: recall symbols after a long blank."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from seqexp.data.streams import Generated
from seqexp.tasks.arguments import require_count
from seqexp.tasks.metrics import accuracy, cross_entropy
from seqexp.tasks.synthetic import longer_splits, require_longer
from seqexp.types import (
    Array,
    Batch,
    Prediction,
    Score,
    Sequences,
    Splits,
    Sums,
    Task,
    TaskSpec,
    Tokens,
)

VALID_SEED, TEST_SEED = 2_018_001, 2_018_002


@dataclass(frozen=True, kw_only=True)
class CopyMemory(Task):
    """Read K digits, wait, and repeat them once the delimiters begin.

    Digits are uniform in 1 to S; 0 is the blank and S + 1 the delimiter. T blanks make sequences of
    T + 2K steps: K digits, T - 1 blanks, K + 1 delimiters. The targets are T + K blanks, then the
    digits, of which the first is due one step after the first delimiter is read. For example, with
    K = 3, S = 8 and T = 4:

        inputs   5 1 8  0 0 0  9 9 9 9
        targets  0 0 0  0 0 0  0 5 1 8

    Without memory, a blank until the delimiters and a uniform guess after them lose
    K ln S / (T + 2K) nats, averaged over all steps as published. There are S + 2 outputs, also
    as published, though the delimiter is never a target.

    Further splits of longer sequences, if asked for, are read once like the test: "length 2x" has
    2 T blanks and so on, and as many digits to recall. The loss, a mean over all steps, shrinks as
    blanks are added, that of the memoryless guess too; "recall" does not.

    The layout is that of Bai et al. 2018, https://arxiv.org/abs/1803.01271 (K = 10, S = 8), who
    feed the token as a number and train on 10,000 examples; here it is a token and training
    examples never come twice. The problem is that of Arjovsky et al. 2016,
    https://arxiv.org/abs/1511.06464.

    Attributes:
        blanks: T, at least 1.
        valid_examples: size of the validation split.
        test_examples: size of the test split.
        digits: K, at least 1.
        symbols: S, at least 2.
        longest: the greatest multiple of T that is tested, a power of two from 2; None for none.
        longer_examples: size of each split of longer sequences; None for none.

    Raises:
        SeqexpError: a size is too small, or `longest` is no power of two.
    """

    blanks: int
    valid_examples: int
    test_examples: int
    digits: int = 10
    symbols: int = 8
    longest: int | None = None
    longer_examples: int | None = None

    def __post_init__(self) -> None:
        require_count("CopyMemory", "blanks", self.blanks, minimum=1)
        require_count("CopyMemory", "valid_examples", self.valid_examples, minimum=1)
        require_count("CopyMemory", "test_examples", self.test_examples, minimum=1)
        require_count("CopyMemory", "digits", self.digits, minimum=1)
        require_count("CopyMemory", "symbols", self.symbols, minimum=2)
        require_longer("CopyMemory", self.longest, self.longer_examples)

    @property
    def spec(self) -> TaskSpec:
        tokens, recalled = self.symbols + 2, 2 * self.digits
        return TaskSpec(
            Tokens(tokens),
            "step",
            tokens,
            (self.longest or 1) * self.blanks + recalled,
            causal=True,
            trained_length=self.blanks + recalled,
        )

    @property
    def score(self) -> Score:
        return Score("loss", "min")

    @property
    def baselines(self) -> Mapping[str, float]:
        return {"memoryless": self.digits * math.log(self.symbols) / self.spec.usual_length}

    def load(self) -> Splits:
        stream = Generated(self.draw)
        held_out = {
            "valid": stream.split(VALID_SEED, self.valid_examples),
            "test": stream.split(TEST_SEED, self.test_examples),
            **longer_splits(self.draw, TEST_SEED, self.longest, self.longer_examples),
        }
        return Splits(stream, held_out)

    def measure(self, prediction: Prediction, batch: Batch) -> Sums:
        """Cross-entropy of all steps, and recall: the accuracy over the K steps of the digits."""
        outputs, (values, lengths) = prediction.outputs, batch.inputs
        waiting = Sequences(values, lengths - self.digits).mask
        return {
            "loss": cross_entropy(outputs, batch.targets, batch.inputs.mask),
            "recall": accuracy(outputs, batch.targets, batch.inputs.mask & ~waiting),
        }

    def draw(self, key: Array, batch_size: int, multiple: int = 1) -> Batch:
        """`[B, T + 2K]` inputs and targets, T a multiple of `blanks`."""
        K, T, B = self.digits, multiple * self.blanks, batch_size
        digits = jax.random.randint(key, (B, K), 1, self.symbols + 1, jnp.int32)
        blanks = jnp.zeros((B, T + K), jnp.int32)
        delimiters = jnp.full((B, K + 1), self.symbols + 1, jnp.int32)
        inputs = jnp.concatenate([digits, blanks[:, : T - 1], delimiters], axis=1)
        targets = jnp.concatenate([blanks, digits], axis=1)
        return Batch(Sequences(inputs, jnp.full((B,), T + 2 * K, jnp.int32)), targets)
