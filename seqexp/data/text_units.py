"""Units that a text is split into: characters, words, or byte pairs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from seqexp.data.extras import needs
from seqexp.types import SeqexpError

ASCII_SPACE = re.compile(r"[ \t\n\r\f\v]+")
WORD_OR_MARK = re.compile(r"\w+|[^\w\s]")
WORD_MARK_OR_BREAK = re.compile(r"\w+(?:['’-]\w+)*|[^\w\s]|\n")


def whitespace_tokens(text: str) -> list[str]:
    """What stands between white space of ASCII.

    Other spaces are part of their token: a no-break space is there so that nothing breaks at it.

    >>> whitespace_tokens(" 1\\xa0000 cats , and\\tdogs ")
    ['1\\xa0000', 'cats', ',', 'and', 'dogs']
    """
    return [token for token in ASCII_SPACE.split(text) if token]


Splitter = Literal["whitespace", "punctuation", "lines"]
SPLITTERS: Mapping[Splitter, Callable[[str], list[str]]] = {
    "whitespace": whitespace_tokens,
    "punctuation": WORD_OR_MARK.findall,
    "lines": WORD_MARK_OR_BREAK.findall,
}
"""What separates words, see `Words`."""


@dataclass(frozen=True)
class Characters:
    """Each character (code point) of a text; white space counts.

    Attributes:
        lower: whether all is lower-cased.
    """

    lower: bool = False

    def split(self, text: str | Sequence[str]) -> list[str]:
        """Raises SeqexpError for tokens."""
        return list(_lowered(_whole(text, "characters"), self.lower))

    def join(self, units: Iterable[str]) -> str:
        """The text that they are of."""
        return "".join(units)


@dataclass(frozen=True)
class Words:
    """Words of a text, or tokens that are given.

    Attributes:
        splitter: "whitespace" splits at white space of ASCII, for text that is tokenised already;
            "punctuation" also makes each mark of punctuation a word of its own, by the regular
            expression `\\w+|[^\\w\\s]`, for raw text. To it a combining mark is punctuation, too:
            give text with accents or of Indic scripts in composed form (NFC), or as byte pairs.
            "lines" is for language models: it makes each line break a word, too, and leaves an
            apostrophe or hyphen between letters where it is.
        lower: whether words are lower-cased, after the split.

    >>> Words("punctuation", lower=True).split("Don't panic!")
    ['don', "'", 't', 'panic', '!']
    >>> Words("lines").split("Don't panic!\\n")
    ["Don't", 'panic', '!', '\\n']
    """

    splitter: Splitter = "whitespace"
    lower: bool = False

    def __post_init__(self) -> None:
        if self.splitter not in SPLITTERS:
            raise SeqexpError(
                f"the splitter of words is one of {', '.join(SPLITTERS)}, not {self.splitter!r}"
            )

    def split(self, text: str | Sequence[str]) -> list[str]:
        """The words of a text; tokens as they are."""
        if isinstance(text, str):
            text = SPLITTERS[self.splitter](text)
        return [word.lower() for word in text] if self.lower else list(text)

    def join(self, units: Iterable[str]) -> str:
        """The words with a space between them, and none beside a line break; how many there were
        in a text is lost."""
        return re.sub(" ?\n ?", "\n", " ".join(units))


@dataclass(frozen=True)
class BytePairs:
    """Pieces of a text's UTF-8 bytes, made of single bytes by learned merges; no text is unknown.

    A piece is written in a printable character for each byte, as the library `tokenizers` does:
    "Ġ" stands for a space, so that "Ġthe" is the piece " the".

    Sennrich, Haddow and Birch 2016, https://arxiv.org/abs/1508.07909; on bytes Radford et al. 2019,
    https://cdn.openai.com/better-language-models/language_models_are_unsupervised_multitask_learners.pdf.

    Attributes:
        pieces: all that there are; the 256 bytes first.
        merges: pairs of pieces that become one, the earliest learned first.
        lower: whether all is lower-cased.
    """

    pieces: tuple[str, ...]
    merges: tuple[tuple[str, str], ...]
    lower: bool = False

    def split(self, text: str | Sequence[str]) -> list[str]:
        """The pieces of a text. Raises SeqexpError for tokens."""
        return self._tokenizer.encode(_lowered(_whole(text, "byte pairs"), self.lower)).tokens

    def join(self, units: Iterable[str]) -> str:
        """The text that they are of; bytes that are no UTF-8 become U+FFFD."""
        return self._tokenizer.decoder.decode(list(units))

    @cached_property
    def _tokenizer(self) -> Any:
        places = {piece: place for place, piece in enumerate(self.pieces)}
        return byte_tokenizer(places, list(self.merges))


def byte_tokenizer(places: dict[str, int], merges: list[tuple[str, str]]) -> Any:
    """A `tokenizers.Tokenizer` of byte pairs without special tokens.

    Raises SeqexpError where the library is not installed.
    """
    with needs("text"):
        from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    tokenizer = Tokenizer(models.BPE(vocab=places, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)  # type: ignore
    tokenizer.decoder = decoders.ByteLevel()  # type: ignore
    return tokenizer


def _lowered(text: str, lower: bool) -> str:
    return text.lower() if lower else text


def _whole(text: str | Sequence[str], units: str) -> str:
    if not isinstance(text, str):
        raise SeqexpError(f"{units} are units of a whole text, not of tokens: use words")
    return text
