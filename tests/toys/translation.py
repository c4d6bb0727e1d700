"""A toy translation: each word has a translation, and the order of the words turns around."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from seqexp.data.streams import Generated
from seqexp.tasks.metrics import accuracy, cross_entropy
from seqexp.types import (
    Array,
    Batch,
    Beam,
    Decoding,
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

WORDS, START, END = 4, 0, 1


@dataclass(frozen=True)
class Translation(Task):
    """`w_1 .. w_n` becomes `t(w_n) .. t(w_1)`, with t(w) = 2 + (w + 1) % 4. For example

        inputs 2 3 3    prefix 0 2 2 5    targets 2 2 5 1

    Attributes:
        longest: the most words.
        examples: of each held-out split.
        width: of the beam that writes; None for greedy decoding.
    """

    longest: int
    examples: int
    width: int | None = None

    @property
    def spec(self) -> TaskSpec:
        return TaskSpec(
            Tokens(WORDS),
            "free",
            2 + WORDS,
            self.longest,
            causal=False,
            max_answer_length=self.longest + 1,
            start=START,
            end=END,
        )

    @property
    def score(self) -> Score:
        return Score("exact_match", "max")

    @property
    def baselines(self) -> Mapping[str, float]:
        return {"one word, guessed": 1 / WORDS}

    @property
    def shown(self) -> int:
        """It says nothing of them: what is shown is attention alone."""
        return 2

    @property
    def shown_decoding(self) -> None:
        return None

    def show(
        self, batch: Batch, outputs: np.ndarray, generated: Sequences | None
    ) -> Mapping[str, str]:
        return {}

    @property
    def decoding(self) -> Decoding:
        return "greedy" if self.width is None else Beam(self.width, length_penalty=0.6)

    def load(self) -> Splits:
        stream = Generated(self.make)
        held_out = {name: stream.split(seed, self.examples) for seed, name in enumerate(NAMES)}
        return Splits(stream, held_out)

    def make(self, key: Array, batch_size: int) -> Batch:
        """Sentences of uniform words and lengths, with an end behind each translation."""
        B, T = batch_size, self.longest
        words_key, lengths_key = jax.random.split(key)
        words = jax.random.randint(words_key, (B, T), 0, WORDS, jnp.int32)
        lengths = jax.random.randint(lengths_key, (B,), 1, T + 1, jnp.int32)
        places = lengths[:, None] - 1 - jnp.arange(T + 1)
        turned = jnp.take_along_axis(words, jnp.maximum(places, 0), axis=1)
        targets = jnp.where(places >= 0, 2 + (turned + 1) % WORDS, END)
        prefix = jnp.concatenate([jnp.full((B, 1), START), targets[:, :-1]], axis=1)
        return Batch(Sequences(words, lengths), targets, Sequences(prefix, lengths + 1))

    def measure(self, prediction: Prediction, batch: Batch) -> Sums:
        mask = self.spec.answer_mask(batch)
        return {
            "loss": cross_entropy(prediction.outputs, batch.targets, mask),
            "accuracy": accuracy(prediction.outputs, batch.targets, mask),
        }

    def summarize(self, sums: Sums) -> Mapping[str, float]:
        """Means, and the perplexity of a word."""
        metrics = means(sums)
        return {**metrics, "perplexity": math.exp(metrics["loss"])}

    def judge(self, generated: Sequences, batch: Batch) -> Mapping[str, float]:
        """How many sentences are right as a whole."""
        right = 0
        for row, n in enumerate(batch.inputs.lengths):
            said = np.asarray(generated.values)[row, : generated.lengths[row]]
            right += np.array_equal(said, np.asarray(batch.targets)[row, :n])
        return {"exact_match": right / len(batch.inputs.lengths)}


NAMES = ("valid", "test")
