"""Sentences with their sentiment: the Stanford Sentiment Treebank in two classes."""

from __future__ import annotations

from pathlib import Path

from seqexp.data.text_examples import TextExample, some, text_example
from seqexp.data.text_files import fail, read_lines

LABELS = ("0", "1")
"""Negative and positive."""


def read_sst2(path: str | Path) -> tuple[TextExample, ...]:
    """The sentences of a file of lines `label tokens...`, tokens with a space between them.

        1 a stirring , funny and finally transporting re-imagining of beauty and the beast

    Socher et al. 2013, https://aclanthology.org/D13-1170.

    Raises:
        SeqexpError: a line begins with another label than 0 or 1, or has no tokens; there is no
            line, or the file is no UTF-8 text; names the line.
    """
    examples = []
    for line, content in read_lines(path):
        label, _, text = content.partition(" ")
        if label not in LABELS:
            fail(path, line, f"begins with {label[:20]!r}, but must with the label 0 or 1")
        examples.append(text_example(text, label, f"{path}, line {line}"))
    return some(path, examples)
