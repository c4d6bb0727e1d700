"""Vocabularies: which symbol each token stands for, built from training text alone."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from hashlib import sha256

import numpy as np

from seqexp.data.text_units import BytePairs, Characters, Splitter, Words, byte_tokenizer
from seqexp.types import SeqexpError

UNKNOWN = "<unk>"
START = "<s>"
END = "</s>"
BYTES = 256


@dataclass(frozen=True)
class Vocabulary:
    """The symbols of a text's units; token i stands for `symbols[i]`.

    Special symbols come first: `<unk>`, which every unit that is not in the vocabulary becomes
    (byte pairs have none, since every text is made of bytes), then `<s>` and `</s>` where there are
    free answers. There is no symbol for padding: lengths say what is padding.

    `character_vocabulary`, `word_vocabulary` and `byte_pair_vocabulary` build one.

    Attributes:
        units: what a text is split into.
        special: the special symbols.
        entries: the others, each once.

    >>> vocabulary = word_vocabulary(["the cat saw the dog"])
    >>> vocabulary.symbols
    ('<unk>', 'the', 'cat', 'saw', 'dog')
    >>> tokens = vocabulary.encode("the dog saw the mouse")
    >>> tokens.tolist(), vocabulary.decode(tokens)
    ([1, 4, 3, 1, 0], 'the dog saw the <unk>')
    """

    units: Characters | Words | BytePairs
    special: tuple[str, ...]
    entries: tuple[str, ...]

    @cached_property
    def symbols(self) -> tuple[str, ...]:
        """The symbol of each token."""
        return self.special + self.entries

    @property
    def size(self) -> int:
        """V, special symbols included."""
        return len(self.special) + len(self.entries)

    @property
    def unknown(self) -> int | None:
        """The token of what is not in the vocabulary; None for byte pairs."""
        return self.special.index(UNKNOWN) if UNKNOWN in self.special else None

    @property
    def start(self) -> int:
        """The token that the prefix of a free answer begins with. Raises SeqexpError where there
        is none."""
        return self._of_answers(START)

    @property
    def end(self) -> int:
        """The token that ends a free answer. Raises SeqexpError where there is none."""
        return self._of_answers(END)

    def encode(self, text: str | Sequence[str]) -> np.ndarray:
        """`[T]` int32 tokens of a text, or of tokens where the units are words.

        Raises SeqexpError where a word is `<s>` or `</s>` and these are special, since a model
        could not tell it from the beginning or the end of an answer.
        """
        units = self.units.split(text)
        tokens = [self._places.get(unit, self.unknown) for unit in units]
        if self.unknown in tokens:
            _refuse_marks(units, self.special)
        return np.array(tokens, np.int32)

    def decode(self, tokens: Iterable[int] | np.ndarray) -> str:
        """The text of tokens: characters and byte pairs joined, words with a space between them.

        `<s>` and `</s>` are left out, and an unknown unit reads `<unk>`. Of characters and byte
        pairs, what was encoded comes back exactly, if nothing in it was unknown or lower-cased.
        Raises SeqexpError where a token is not in the vocabulary.
        """
        numbers = [int(token) for token in tokens]
        if any(not 0 <= number < self.size for number in numbers):
            raise SeqexpError(
                f"tokens go from 0 to {self.size - 1}, not {min(numbers)} to {max(numbers)}"
            )
        symbols, special = self.symbols, len(self.special)
        left_out = {place for place in range(special) if self.special[place] != UNKNOWN}
        return self.units.join(symbols[number] for number in numbers if number not in left_out)

    def spell(self, tokens: Iterable[int] | np.ndarray) -> list[str]:
        """Each token by itself, a special one as its symbol, and the space within one as `▁`.

        A byte pair that is no whole character reads `�`.
        """
        special = len(self.special)
        return [
            self.special[token] if token < special else self.decode([token]).replace(" ", "▁")
            for token in map(int, tokens)
        ]

    @property
    def sha256(self) -> str:
        """Hash of all that decides how a text is encoded, 64 hexadecimal digits."""
        written = json.dumps([type(self.units).__name__, asdict(self)], sort_keys=True)
        return sha256(written.encode()).hexdigest()

    @cached_property
    def _places(self) -> dict[str, int]:
        return {symbol: place for place, symbol in enumerate(self.entries, len(self.special))}

    def _of_answers(self, symbol: str) -> int:
        if symbol not in self.special:
            raise SeqexpError(
                f"the vocabulary has no {symbol}: build it with answers=True for free answers"
            )
        return self.special.index(symbol)


def character_vocabulary(
    texts: Iterable[str],
    *,
    lower: bool = False,
    min_count: int = 1,
    max_size: int | None = None,
    answers: bool = False,
) -> Vocabulary:
    """The characters of training texts, as `word_vocabulary` takes words.

    >>> character_vocabulary(["banana"]).symbols
    ('<unk>', 'a', 'n', 'b')
    """
    return _counted(Characters(lower), texts, min_count, max_size, answers)


def word_vocabulary(
    texts: Iterable[str | Sequence[str]],
    *,
    splitter: Splitter = "whitespace",
    lower: bool = False,
    min_count: int = 1,
    max_size: int | None = None,
    answers: bool = False,
) -> Vocabulary:
    """The words of training texts, the most frequent first, of equals the one that comes first.

    A word `<unk>` in the texts is the unknown one, as in corpora where rare words are replaced.

    Args:
        texts: of the training split alone; tokens are taken as they are.
        splitter: what separates words, see `Words`.
        lower: whether words are lower-cased.
        min_count: how often a word must occur.
        max_size: the greatest V, special symbols included; None for no limit.
        answers: whether there are `<s>` and `</s>`, for free answers.

    Raises:
        SeqexpError: no word is left, or one of them is a special symbol.
    """
    return _counted(Words(splitter, lower), texts, min_count, max_size, answers)


def byte_pair_vocabulary(
    texts: Iterable[str],
    *,
    max_size: int,
    lower: bool = False,
    min_count: int = 2,
    answers: bool = False,
) -> Vocabulary:
    """The 256 bytes and the most frequent merges in training texts, by the library `tokenizers`.

    Of equally frequent pairs the one is merged first whose pieces come first in the vocabulary. A
    merge never joins a letter with the space or the punctuation behind it.

    Args:
        texts: of the training split alone.
        max_size: the greatest V, special symbols included; V is less where the texts have no
            further pair.
        lower: whether texts are lower-cased.
        min_count: how often a pair must occur to be merged.
        answers: whether there are `<s>` and `</s>`, for free answers.

    Raises:
        SeqexpError: `max_size` is too small, there is no text, or the library is not installed.
    """
    special = (START, END) if answers else ()
    _require_counts(min_count, max_size, least=BYTES + len(special))
    given = [text.lower() if lower else text for text in texts]
    if not any(given):
        raise SeqexpError("a vocabulary needs training text, and there is none")
    tokenizer = byte_tokenizer({}, [])
    from tokenizers import pre_tokenizers, trainers

    trainer = trainers.BpeTrainer(
        vocab_size=max_size - len(special),
        min_frequency=min_count,
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(given, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    pieces = tuple(sorted(model["vocab"], key=model["vocab"].__getitem__))
    merges = tuple((first, second) for first, second in model["merges"])
    return Vocabulary(BytePairs(pieces, merges, lower), special, pieces)


def _counted(
    units: Characters | Words,
    texts: Iterable[str | Sequence[str]],
    min_count: int,
    max_size: int | None,
    answers: bool,
) -> Vocabulary:
    special = (UNKNOWN, START, END) if answers else (UNKNOWN,)
    _require_counts(min_count, max_size, least=len(special) + 1)
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(units.split(text))
    _refuse_marks(counts, special)
    counts.pop(UNKNOWN, None)
    room = None if max_size is None else max_size - len(special)
    # `most_common` keeps the order of first occurrence among equal counts.
    entries = tuple(unit for unit, count in counts.most_common(room) if count >= min_count)
    if not entries:
        raise SeqexpError(
            f"the training text has nothing that occurs min_count={min_count} times or more: "
            "supply text, or lower min_count"
        )
    return Vocabulary(units, special, entries)


def _require_counts(min_count: int, max_size: int | None, least: int) -> None:
    if min_count < 1:
        raise SeqexpError(f"min_count of a vocabulary must be at least 1, but is {min_count}")
    if max_size is not None and max_size < least:
        raise SeqexpError(
            f"max_size of this vocabulary must be at least {least}, special symbols included, but "
            f"is {max_size}"
        )


def _refuse_marks(units: Iterable[str], special: tuple[str, ...]) -> None:
    marks = {START, END}.intersection(special).intersection(units)
    if marks:
        raise SeqexpError(
            f"the text has the word {min(marks)}, which marks where an answer begins or ends: "
            "replace it in the text"
        )
