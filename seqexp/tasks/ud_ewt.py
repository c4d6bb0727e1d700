"""Part-of-speech tagging: a label for each word of a sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from seqexp.data.buckets import require_buckets, splits_in_buckets
from seqexp.data.conllu import UPOS, read_conllu
from seqexp.data.download import fetch
from seqexp.data.padding import pad, padded
from seqexp.data.sources import UD_EWT as SOURCE
from seqexp.data.text_examples import TextExample
from seqexp.data.word_classes import WordsAndClasses, words_and_classes
from seqexp.tasks.arguments import require_count
from seqexp.tasks.baselines import measured_baselines
from seqexp.tasks.labels import TokenLabelTask
from seqexp.tasks.tag_frequencies import most_frequent_tag, most_frequent_tag_of_token
from seqexp.tasks.token_vectors import token_vectors, vector_hashes
from seqexp.types import (
    Batch,
    SeqexpError,
    Splits,
    TaskSpec,
    Tokens,
    TokenVectors,
)

MOST_WORDS, LONGEST = 19_674, 159
"""Words of the training split, upper and lower case apart; those of its longest sentence."""


@dataclass(frozen=True, kw_only=True)
class EnglishTags(TokenLabelTask):
    """Sentences of the English Web Treebank, each word with its universal part-of-speech tag.

        inputs   The  best  thing  I     ever  did   .
        targets  DET  ADJ   NOUN   PRON  ADV   VERB  PUNCT

    Words are as they are written, capitals included. One that is not among the most frequent of the
    training split is told by its shape and ending, as far as these are frequent among rare words
    there: "Cheneys" may be `<Aa ys>`, `<Aa s>` or `<Aa>`, see `seqexp.data.word_classes`. 12,544 /
    2,001 / 2,077 sentences of 1 to 159 words and 17 tags; the accuracy is that over all words.

    Silveira et al. 2014, "A gold standard dependency corpus for English",
    http://www.lrec-conf.org/proceedings/lrec2014/summaries/1089.html; Universal Dependencies 2.16,
    https://universaldependencies.org/treebanks/en_ewt.

    Attributes:
        words: how many are known, 1 to 19,674; 9,873 come at least twice.
        classes: of other words, the most frequent ones, the class of all of them included; 1 is a
            single unknown word.
        buckets: of lengths, at most; or auto.
        vectors: a file with pretrained vectors of words, see `seqexp.data.vectors`; None for none.

    Raises:
        SeqexpError: a size is out of range.
    """

    words: int
    classes: int
    buckets: int | Literal["auto"]
    vectors: str | None = None

    def __post_init__(self) -> None:
        require_count("EnglishTags", "words", self.words, minimum=1)
        if self.words > MOST_WORDS:
            raise SeqexpError(
                f"EnglishTags: words is {self.words}, but the training split has only {MOST_WORDS};"
                " choose no more"
            )
        require_count("EnglishTags", "classes", self.classes, minimum=1)
        require_buckets("EnglishTags", self.buckets)

    @property
    def spec(self) -> TaskSpec:
        tokens, tags = Tokens(self.classes + self.words, self._vectors), len(UPOS)
        return TaskSpec(tokens, "step", tags, LONGEST, causal=False, targets="labels")

    @property
    def baselines(self) -> Mapping[str, float]:
        """Accuracies on the test split.

        "most frequent tag" is the same everywhere, "most frequent tag of the word" that of each
        token, so of the class of a rare word.
        """
        methods = {
            "most frequent tag": most_frequent_tag,
            "most frequent tag of the word": most_frequent_tag_of_token,
        }
        return measured_baselines(self, methods)

    def data_hashes(self) -> Mapping[str, str]:
        return {**SOURCE.hashes(), **vector_hashes(self.vectors)}

    def load(self) -> Splits:
        """Raises SeqexpError where a file cannot be had, naming it, or `classes` is too great."""
        splits = {name: self._batch(sentences) for name, sentences in _sentences().items()}
        return splits_in_buckets(self.spec, splits, self.buckets)

    @property
    def symbols(self) -> Sequence[str]:
        return self._vocabulary.symbols

    @property
    def answers(self) -> Sequence[str]:
        return UPOS

    @cached_property
    def _vocabulary(self) -> WordsAndClasses:
        train = [sentence.text for sentence in _sentences()["train"]]
        return words_and_classes(train, self.words, self.classes)

    @cached_property
    def _vectors(self) -> TokenVectors | None:
        return token_vectors(self.vectors, lambda: self._vocabulary)

    def _batch(self, sentences: Sequence[TextExample]) -> Batch:
        place = {tag: n for n, tag in enumerate(UPOS)}
        tokens = [self._vocabulary.encode(sentence.text) for sentence in sentences]
        tags = [np.array([place[tag] for tag in s.label or ()], np.int32) for s in sentences]
        targets, _ = pad(tags, LONGEST)
        return Batch(padded(tokens, LONGEST), targets)


def _sentences() -> dict[str, tuple[TextExample, ...]]:
    names = ("train", "valid", "test")
    return {n: read_conllu(path) for n, path in zip(names, fetch(SOURCE).values(), strict=True)}
