"""Sentiment: is a sentence of a film review positive or negative?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from seqexp.data.buckets import require_buckets, splits_in_buckets
from seqexp.data.download import fetch
from seqexp.data.padding import padded
from seqexp.data.sources import SST2 as SOURCE
from seqexp.data.sst2 import LABELS, read_sst2
from seqexp.data.text_examples import TextExample
from seqexp.data.vocabulary import Vocabulary, word_vocabulary
from seqexp.tasks.arguments import require_count
from seqexp.tasks.baselines import measured_baselines
from seqexp.tasks.classical import bag_of_words, most_frequent_class, tfidf
from seqexp.tasks.labels import TokenLabelTask
from seqexp.tasks.token_vectors import token_vectors, vector_hashes
from seqexp.types import (
    Batch,
    SeqexpError,
    Splits,
    TaskSpec,
    Tokens,
    TokenVectors,
)

MOST_WORDS, LONGEST = 14_831, 56
"""V with every word of the training split and `<unk>`; the words of the longest sentence."""
ANSWERS = ("negative", "positive")


@dataclass(frozen=True, kw_only=True)
class SST2(TokenLabelTask):
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
        vectors: a file with pretrained vectors of words, see `seqexp.data.vectors`; None for none.

    Raises:
        SeqexpError: `words` or `buckets` is out of range.
    """

    words: int
    buckets: int | Literal["auto"]
    vectors: str | None = None

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
        words, classes = Tokens(self.words, self._vectors), len(ANSWERS)
        return TaskSpec(words, "sequence", classes, LONGEST, causal=False, targets="labels")

    @property
    def baselines(self) -> Mapping[str, float]:
        """Accuracies on the test split, see `seqexp.tasks.classical`."""
        methods = {"majority": most_frequent_class, "bag of words": bag_of_words, "TF-IDF": tfidf}
        return measured_baselines(self, methods)

    def data_hashes(self) -> Mapping[str, str]:
        return {**SOURCE.hashes(), **vector_hashes(self.vectors)}

    def load(self) -> Splits:
        """Raises SeqexpError, naming the file and the remedy, where it cannot be had."""
        splits = {name: self._batch(examples) for name, examples in _examples().items()}
        return splits_in_buckets(self.spec, splits, self.buckets)

    @property
    def symbols(self) -> Sequence[str]:
        return self._vocabulary.symbols

    @property
    def answers(self) -> Sequence[str]:
        return ANSWERS

    @cached_property
    def _vocabulary(self) -> Vocabulary:
        train = _examples()["train"]
        return word_vocabulary((example.text for example in train), max_size=self.words)

    @cached_property
    def _vectors(self) -> TokenVectors | None:
        return token_vectors(self.vectors, lambda: self._vocabulary)

    def _batch(self, examples: Sequence[TextExample]) -> Batch:
        encoded = [self._vocabulary.encode(example.text) for example in examples]
        labels = [LABELS.index(str(example.label)) for example in examples]
        return Batch(padded(encoded, LONGEST), np.array(labels, np.int32))


def _examples() -> dict[str, tuple[TextExample, ...]]:
    names = ("train", "valid", "test")
    return {n: read_sst2(path) for n, path in zip(names, fetch(SOURCE).values(), strict=True)}
