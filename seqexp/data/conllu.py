"""Sentences with part-of-speech tags in CoNLL-U, the format of Universal Dependencies."""

from __future__ import annotations

import re
from pathlib import Path

from seqexp.data.text_examples import TextExample, some, token_example
from seqexp.data.text_files import fail, read_lines

COLUMNS = 10
SKIPPED = re.compile(r"\d+-\d+|\d+\.\d+", re.ASCII)
UPOS = tuple(
    "ADJ ADP ADV AUX CCONJ DET INTJ NOUN NUM PART PRON PROPN PUNCT SCONJ SYM VERB X".split()
)
"""The 17 universal part-of-speech tags, https://universaldependencies.org/u/pos."""


def read_conllu(path: str | Path) -> tuple[TextExample, ...]:
    """The word forms of each sentence, with the universal part-of-speech tag of each.

        # text = I don't know
        1       I       I       PRON    ...
        2-3     don't   _       _       ...
        2       do      do      AUX     ...
        3       n't     not     PART    ...
        4       know    know    VERB    ...

    gives the tokens I, do, n't, know with the labels PRON, AUX, PART, VERB. Lines of several words
    (ids such as 2-3) and of empty nodes (8.1) are skipped, comments (#) too; an empty line ends a
    sentence. https://universaldependencies.org/format.html; Nivre et al. 2020,
    https://aclanthology.org/2020.lrec-1.497.

    Raises:
        SeqexpError: a line has not 10 columns with a tab between them, an id is not the next one, a
            form is empty, a tag is none of the 17, a sentence has no words, or there is none, or
            the file is no UTF-8 text; names the line.
    """
    sentences: list[TextExample] = []
    words: list[tuple[str, str]] = []
    begun = 0

    def end() -> None:
        if begun:
            forms, tags = zip(*words, strict=True) if words else ((), ())
            sentences.append(token_example(forms, tags, f"{path}, line {begun}"))

    for line, content in read_lines(path):
        if not content:
            end()
            words, begun = [], 0
            continue
        begun = begun or line
        if content.startswith("#"):
            continue
        columns = content.split("\t")
        if len(columns) != COLUMNS:
            fail(path, line, f"tabs separate {len(columns)} of {COLUMNS} columns")
        number, form, _, tag = columns[:4]
        if SKIPPED.fullmatch(number):
            continue
        if number != str(len(words) + 1):
            fail(path, line, f"the id is {number!r}, but word {len(words) + 1} must come here")
        if tag not in UPOS:
            fail(path, line, f"the tag {tag!r} is none of {', '.join(UPOS)}")
        words.append((form, tag))
    end()
    return some(path, sentences)
