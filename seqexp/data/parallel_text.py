"""Sentence pairs of two languages, in two files whose lines belong together."""

from __future__ import annotations

from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

from seqexp.data.text_files import fail, read_lines
from seqexp.types import SeqexpError


class SentencePair(NamedTuple):
    """A sentence and its translation, each as it stands in its file.

    Attributes:
        source: what is translated.
        target: the translation.
        line: where both stand.
    """

    source: str
    target: str
    line: int


def read_parallel_text(source: str | Path, target: str | Path) -> tuple[SentencePair, ...]:
    """The pairs of two line-aligned files, decompressed where a name ends in `.gz`, as of Multi30k.

    Elliott et al. 2016, https://aclanthology.org/W16-3210.

    Raises:
        SeqexpError: one file has more lines than the other, a line is blank, there is none, or a
            file is no UTF-8 text; names the line.
    """
    pairs = []
    for one, other in zip_longest(read_lines(source), read_lines(target)):
        for path, numbered, longer in ((source, one, target), (target, other, source)):
            if numbered is None:
                raise SeqexpError(
                    f"{path} ends behind line {len(pairs)}, but {longer} goes on: their lines must "
                    "belong together"
                )
            if not numbered[1].strip():
                fail(path, numbered[0], "no sentence here; remove the line in both files")
        pairs.append(SentencePair(one[1], other[1], one[0]))
    if not pairs:
        raise SeqexpError(f"{source} and {target} hold no sentences")
    return tuple(pairs)
