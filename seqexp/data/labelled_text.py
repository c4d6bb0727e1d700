"""Labelled text as tokens: examples of a user's own, by a vocabulary of the training split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np

from seqexp.data.padding import pad, padded
from seqexp.data.text_examples import TextExample
from seqexp.data.text_splits import TextSplits
from seqexp.data.vocabulary import Vocabulary
from seqexp.types import Batch, SeqexpError

Longer = Literal["cut", "refuse"]
"""What becomes of a text that is longer than the most: its first tokens, or an error."""


class LabelledText(NamedTuple):
    """Examples in tokens.

    Attributes:
        vocabulary: of the training split.
        labels: their names, sorted; a target is a place here.
        splits: "train", "valid" and "test".
    """

    vocabulary: Vocabulary
    labels: tuple[str, ...]
    splits: Mapping[str, Batch]

    @property
    def longest(self) -> int:
        """The most tokens of any example."""
        return max(part.inputs.values.shape[1] for part in self.splits.values())


def labelled_text(
    splits: TextSplits, vocabulary: Vocabulary, max_length: int | None, longer: Longer
) -> LabelledText:
    """Encode the examples of all splits.

    Args:
        splits: all with one label a text, or all with one a token.
        vocabulary: of the training split.
        max_length: the most tokens of a text; None for no limit.
        longer: what becomes of longer ones, in every split. Of a label a token those of the tokens
            that are cut are gone, too, and in no metric.

    Raises:
        SeqexpError: fewer than two labels in training, a label elsewhere that is not among them, a
            text without tokens, or a longer one that is refused; names file and line.
    """
    labels = tuple(sorted({label for example in splits.train for label in _labels(example)}))
    if len(labels) < 2:
        raise SeqexpError(
            f"the training split has one label alone, {', '.join(labels)}: add examples of another"
        )
    place = {label: number for number, label in enumerate(labels)}
    encoded = {
        name: [_encoded(example, vocabulary, place, max_length, longer) for example in examples]
        for name, examples in splits._asdict().items()
    }
    longest = max(len(tokens) for each in encoded.values() for tokens, _ in each)
    batches = {}
    for name, each in encoded.items():
        inputs = padded([tokens for tokens, _ in each], longest)
        if isinstance(splits.train[0].label, tuple):
            targets, _ = pad([own for _, own in each], longest)
        else:
            targets = np.array([own[0] for _, own in each], np.int32)
        batches[name] = Batch(inputs, targets)
    return LabelledText(vocabulary, labels, batches)


def _encoded(
    example: TextExample,
    vocabulary: Vocabulary,
    place: Mapping[str, int],
    max_length: int | None,
    longer: Longer,
) -> tuple[np.ndarray, np.ndarray]:
    tokens = vocabulary.encode(example.text)
    if not len(tokens):
        raise SeqexpError(f"{example.place}: the text has no tokens; remove it")
    for label in _labels(example):
        if label not in place:
            raise SeqexpError(
                f"{example.place}: the label {label!r} is none of the training split; correct it, "
                "or add examples of it there"
            )
    labels = np.array([place[label] for label in _labels(example)], np.int32)
    if max_length is None or len(tokens) <= max_length:
        return tokens, labels
    if longer == "refuse":
        raise SeqexpError(
            f"{example.place}: {len(tokens)} tokens, and max_length is {max_length}; raise it, or "
            "cut longer texts by longer=cut"
        )
    return tokens[:max_length], labels[:max_length]


def _labels(example: TextExample) -> Sequence[str]:
    return (example.label,) if isinstance(example.label, str) else example.label or ()
