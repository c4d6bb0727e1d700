"""Classes of rare words, by their letters: what a word looks like stands for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from seqexp.types import SeqexpError

UNKNOWN = "<unk>"
LONGEST_ENDING = 3


def classes_of(word: str) -> tuple[str, ...]:
    """The classes of a word, the most telling first: its shape with its last 3, 2, 1 and 0 letters.

    The shape is `A` for capitals alone, `Aa` for a capital at the beginning, `a` for other words
    with letters, `0` for those of digits and marks, `.` for marks alone; a digit or hyphen among
    letters is told, too. Such classes are those of Petrov et al. 2006, section 2,
    https://aclanthology.org/P06-1055, with other endings.

    >>> classes_of("Walking")
    ('<Aa ing>', '<Aa ng>', '<Aa g>', '<Aa>', '<unk>')
    >>> classes_of("mp3"), classes_of("1,000")
    (('<a0>', '<unk>'), ('<0>', '<unk>'))
    """
    shape = _shape(word)
    ending = word[-LONGEST_ENDING:].lower()
    endings = [ending[start:] for start in range(len(ending))] if word.isalpha() else []
    return (*(f"<{shape} {each}>" for each in endings), f"<{shape}>", UNKNOWN)


def _shape(word: str) -> str:
    digits = "0" if any(map(str.isdigit, word)) else ""
    if not any(map(str.isalpha, word)):
        return digits or "."
    if word.isupper() and len(word) > 1:
        letters = "A"
    else:
        letters = "Aa" if word[0].isupper() else "a"
    return letters + ("-" if "-" in word[1:-1] else "") + digits


@dataclass(frozen=True)
class WordsAndClasses:
    """A vocabulary of frequent words, and of classes that every other word falls in.

    A word that is not in it becomes the first of `classes_of(word)` that is. As rare words of the
    training text do so, too, the classes are trained.

    Attributes:
        words: most frequent first.
        classes: `<unk>`, which every word falls in, first.

    >>> rare = WordsAndClasses(words=("the",), classes=("<unk>", "<a ing>"))
    >>> rare.encode(["the", "walking", "cat"]).tolist(), rare.symbols
    ([2, 1, 0], ('<unk>', '<a ing>', 'the'))
    """

    words: tuple[str, ...]
    classes: tuple[str, ...]

    @property
    def special(self) -> tuple[str, ...]:
        """The symbols that are no words: the classes."""
        return self.classes

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbol of each token: the classes, then the words."""
        return self.classes + self.words

    def encode(self, words: Iterable[str]) -> np.ndarray:
        """`[T]` int32 tokens."""
        return np.array([self._token(word) for word in words], np.int32)

    def _token(self, word: str) -> int:
        if (place := self._words.get(word)) is not None:
            return place
        return next(self._classes[each] for each in classes_of(word) if each in self._classes)

    @cached_property
    def _words(self) -> dict[str, int]:
        return {word: place for place, word in enumerate(self.words, len(self.classes))}

    @cached_property
    def _classes(self) -> dict[str, int]:
        return {each: place for place, each in enumerate(self.classes)}


def words_and_classes(
    sentences: Iterable[Sequence[str]], words: int, classes: int
) -> WordsAndClasses:
    """The most frequent words of training sentences, and the most frequent classes of the others.

    Of equally frequent ones those come first that come first in the text.

    Args:
        sentences: of the training split alone.
        words: how many.
        classes: how many, `<unk>` included.

    Raises:
        SeqexpError: there are fewer.
    """
    counts = Counter(word for sentence in sentences for word in sentence)
    if not 1 <= words <= len(counts):
        raise SeqexpError(f"the training text has {len(counts)} words: choose no {words} of them")
    ranked = [word for word, _ in counts.most_common()]
    rare: Counter[str] = Counter()
    for word in ranked[words:]:
        for each in classes_of(word)[:-1]:
            rare[each] += counts[word]
    if not 1 <= classes <= len(rare) + 1:
        raise SeqexpError(
            f"the other words fall in {len(rare) + 1} classes, {UNKNOWN} included: choose from 1 "
            f"to as many, not {classes}"
        )
    found = tuple(each for each, _ in rare.most_common(classes - 1))
    return WordsAndClasses(tuple(ranked[:words]), (UNKNOWN, *found))
