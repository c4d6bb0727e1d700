"""Pretrained word vectors from a text file."""

from __future__ import annotations

import codecs
import gzip
import zlib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import numpy as np

from seqexp.data.text_files import fail, unreadable
from seqexp.data.vocabulary import Vocabulary
from seqexp.data.word_classes import WordsAndClasses
from seqexp.types import SeqexpError, TokenVectors

LARGEST = float(np.finfo(np.float32).max)


Symbols = Vocabulary | WordsAndClasses
"""The symbol of each token, the special ones first."""


def read_vectors(path: str | Path, vocabulary: Symbols) -> TokenVectors:
    """The vectors of a vocabulary's symbols from a text file of GloVe, word2vec or fastText.

    A line is a word and D numbers, with a space between them; a first line of two integers, the
    number of words and D, is a header. Symbols must be written exactly as in the vocabulary. Of a
    word that stands there twice the first line counts. A word may have spaces in it, and one that
    is no UTF-8, of which some files have a few, is in no vocabulary. The file is read line by line,
    decompressed where its name ends in `.gz`; numbers of words that nobody asks for are counted
    only.

    Pennington, Socher and Manning 2014, https://aclanthology.org/D14-1162; Mikolov et al. 2013,
    https://arxiv.org/abs/1301.3781.

    Args:
        path: of the file.
        vocabulary: its V symbols are looked up.

    Returns:
        `[V, D]`, with none for a symbol that the file has not.

    Raises:
        SeqexpError: a line has more or fewer numbers than the first, something stands in the place
            of a finite number, the header is wrong, no symbol was found, or the file can't be read;
            names the line.
    """
    # The first of equals, since a piece of byte pairs may be written like a special symbol.
    wanted = {
        symbol.encode(): token for token, symbol in reversed([*enumerate(vocabulary.symbols)])
    }
    found: dict[int, np.ndarray] = {}
    lines = _lines(path)
    first = next(lines, (1, []))
    header = _header(first[1])
    if header:
        first = next(lines, (2, []))
    D = header[1] if header else len(first[1]) - 1
    if D < 1:
        fail(path, 1, "a word and its numbers must stand here, with a space between them")
    count = 0
    for line, fields in chain([first], lines):
        count += 1
        if len(fields) <= D or (len(fields) > D + 1 and _is_number(fields[-D - 1])):
            numbers = max(len(fields) - 1, 0)
            fail(path, line, f"{numbers} number{'s' * (numbers != 1)} behind the word, not {D}")
        token = wanted.get(b" ".join(fields[:-D]))
        # The first line is checked whatever its word, since D may be of it.
        if count == 1 or (token is not None and token not in found):
            numbers = _numbers(path, line, fields[-D:])
            if token is not None:
                found[token] = numbers
    if header and header[0] != count:
        fail(path, 1, f"the header says {header[0]} words, but {count} follow; is the file whole?")
    special, V = len(vocabulary.special), len(vocabulary.symbols)
    if not any(token >= special for token in found):
        raise SeqexpError(
            f"{path} has none of the {V - special} symbols of the vocabulary; are its "
            "words lower-cased otherwise, or of another language?"
        )
    values = np.full((V, D), np.nan, np.float32)
    for token, numbers in found.items():
        values[token] = numbers
    return TokenVectors(values)


def _lines(path: str | Path) -> Iterator[tuple[int, list[bytes]]]:
    """The fields of each line, with the line's number."""
    try:
        with (gzip.open if str(path).endswith(".gz") else open)(path, "rb") as file:
            for line, content in enumerate(file, 1):
                if line == 1:
                    content = content.removeprefix(codecs.BOM_UTF8)
                # The program of word2vec leaves a space at the end of each line.
                yield line, content.rstrip(b"\r\n ").split(b" ")
    except (OSError, EOFError, zlib.error) as error:
        raise unreadable(path, error) from error


def _header(fields: list[bytes]) -> tuple[int, int] | None:
    if len(fields) == 2 and all(field.isdigit() for field in fields):
        return int(fields[0]), int(fields[1])
    return None


def _is_number(field: bytes) -> bool:
    try:
        return abs(float(field)) <= LARGEST and b"_" not in field
    except ValueError:
        return False


def _numbers(path: str | Path, line: int, fields: list[bytes]) -> np.ndarray:
    for field in fields:
        if not _is_number(field):
            written = field.decode(errors="replace")
            fail(path, line, f"{written!r} stands where a finite number must")
    return np.array([float(field) for field in fields], np.float32)
