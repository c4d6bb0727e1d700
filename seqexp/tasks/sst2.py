"""Sentiment: is a sentence of a film review positive or negative?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from seqexp.data.buckets import require_buckets, splits_in_buckets
from seqexp.data.download import fetch
from seqexp.data.padding import pad
from seqexp.data.sources import SST2 as SOURCE
from seqexp.data.sst2 import LABELS, read_sst2
from seqexp.data.text_examples import TextExample
from seqexp.data.vocabulary import Vocabulary, word_vocabulary
from seqexp.tasks.arguments import require_count
from seqexp.tasks.baselines import measured_baselines
from seqexp.tasks.classical import bag_of_words, most_frequent_class, tfidf
from seqexp.tasks.metrics import accuracy, cross_entropy
from seqexp.tasks.shown import shown_answers
from seqexp.types import (
    Batch,
    Prediction,
    Score,
    SeqexpError,
    Sequences,
    Splits,
    Sums,
    Task,
    TaskSpec,
    Tokens,
)

MOST_WORDS, LONGEST = 14_831, 56
"""V with every word of the training split and `<unk>`; the words of the longest sentence."""
ANSWERS = ("negative", "positive")


@dataclass(frozen=True, kw_only=True)
class SST2(Task):
    """Sentences of film reviews, lower-cased and tokenised, each with its sentiment.

        a stirring , funny and finally transporting re-imagining of beauty ...     positive
        apparently reassembled from the cutting-room floor of any given ...        negative

    The Stanford Sentiment Treebank in two classes, whole sentences without the neutral ones: 6,920
    / 872 / 1,821, of 2 to 56 words. A bag of words is strong here. Two sentences of the test split
    also occur in the training split.

    Socher et al. 2013, "Recursive deep models for semantic compositionality over a sentiment
    treebank", https://aclanthology.org/D13-1170.

    Attributes:
        words: V, from 2 to 14,831: `<unk>` and the most frequent words of the training split. Every
            other word is `<unk>`; at 7,142 all that occur twice are known, and those that occur
            once train `<unk>`.
        buckets: of lengths, at most; or auto.

    Raises:
        SeqexpError: `words` or `buckets` is out of range.
    """

    words: int
    buckets: int | Literal["auto"]

    def __post_init__(self) -> None:
        require_count("SST2", "words", self.words, minimum=2)
        if self.words > MOST_WORDS:
            raise SeqexpError(
                f"SST2: words is {self.words}, but the training split has only {MOST_WORDS}, <unk> "
                "included; choose no more"
            )
        require_buckets("SST2", self.buckets)

    @property
    def spec(self) -> TaskSpec:
        words, classes = Tokens(self.words), len(ANSWERS)
        return TaskSpec(words, "sequence", classes, LONGEST, causal=False, targets="labels")

    @property
    def score(self) -> Score:
        return Score("accuracy", "max")

    @property
    def baselines(self) -> Mapping[str, float]:
        """Accuracies on the test split, see `seqexp.tasks.classical`."""
        methods = {"majority": most_frequent_class, "bag of words": bag_of_words, "TF-IDF": tfidf}
        return measured_baselines(self, methods)

    def data_hashes(self) -> Mapping[str, str]:
        return SOURCE.hashes()

    def load(self) -> Splits:
        """Raises SeqexpError, naming the file and the remedy, where it cannot be had."""
        splits = {name: self._batch(examples) for name, examples in _examples().items()}
        return splits_in_buckets(self.spec, splits, self.buckets)

    def measure(self, prediction: Prediction, batch: Batch) -> Sums:
        """Cross-entropy in nats and accuracy of `[B, 2]` logits."""
        outputs, targets, asked = prediction.outputs, batch.targets, self.spec.answer_mask(batch)
        return {
            "loss": cross_entropy(outputs, targets, asked),
            "accuracy": accuracy(outputs, targets, asked),
        }

    @property
    def shown(self) -> int:
        return 4

    def show(
        self, batch: Batch, outputs: np.ndarray, generated: Sequences | None
    ) -> Mapping[str, str]:
        """Sentences, the right answers, and what the model said."""
        asked = self.spec.answer_mask(batch)
        return {"answers": shown_answers(batch, outputs, asked, self._vocabulary.symbols, ANSWERS)}

    @cached_property
    def _vocabulary(self) -> Vocabulary:
        train = _examples()["train"]
        return word_vocabulary((example.text for example in train), max_size=self.words)

    def _batch(self, examples: Sequence[TextExample]) -> Batch:
        encoded = [self._vocabulary.encode(example.text) for example in examples]
        labels = [LABELS.index(str(example.label)) for example in examples]
        return Batch(Sequences(*pad(encoded, LONGEST)), np.array(labels, np.int32))  # type: ignore


def _examples() -> dict[str, tuple[TextExample, ...]]:
    names = ("train", "valid", "test")
    return {n: read_sst2(path) for n, path in zip(names, fetch(SOURCE).values(), strict=True)}
