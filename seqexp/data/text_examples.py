"""Examples of text: what is read of a user's own files and of the corpora."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from seqexp.data.text_units import whitespace_tokens
from seqexp.types import SeqexpError


class TextExample(NamedTuple):
    """A text with its label.

    Attributes:
        text: the text as it stands in the file, or its tokens where it came in tokens; never blank.
        label: of the text, or one for each token, less white space around it; None where there is
            none.
        place: the file, and the line where it has lines, for messages.
    """

    text: str | tuple[str, ...]
    label: str | tuple[str, ...] | None
    place: str


@dataclass(frozen=True)
class Columns:
    """Where in a table, or in the objects of JSON lines, the text and its label stand.

    Attributes:
        text: a column's name, or its number, from 0.
        label: as `text`; None for texts without labels.
        label_per_token: whether there is a label for each token, both in tokens that white space
            separates (or as arrays in JSON), and not one for the text.
        header: whether a table's first row gives the names of the columns; white space around a
            name is dropped.

    Raises:
        SeqexpError: a name without a header, the same column twice, or a number below 0.
    """

    text: str | int
    label: str | int | None = None
    label_per_token: bool = False
    header: bool = True

    def __post_init__(self) -> None:
        for column in (self.text, self.label):
            if isinstance(column, bool) or (isinstance(column, int) and column < 0):
                raise SeqexpError(f"a column is a name or a number from 0, not {column!r}")
            if isinstance(column, str) and not self.header:
                raise SeqexpError(
                    f"column {column!r} has a name, but there is no header: number it"
                )
        if self.text == self.label:
            raise SeqexpError(f"text and label are both in column {self.text!r}: name two columns")
        if self.label_per_token and self.label is None:
            raise SeqexpError("labels per token need a label column")


def text_example(text: str, label: str | None, place: str) -> TextExample:
    """A text with one label or none.

    Raises SeqexpError for one that is blank: an example of no steps is padding to every model.
    """
    if not text.strip():
        raise SeqexpError(f"{place}: the text is empty; remove it")
    if label is not None and not label.strip():
        raise SeqexpError(f"{place}: the label is empty; supply it or remove the example")
    return TextExample(text, label and label.strip(), place)


def token_example(
    tokens: str | tuple[str, ...], labels: str | tuple[str, ...] | None, place: str
) -> TextExample:
    """Tokens with a label for each, with one label for all, or none.

    Args:
        tokens: a string is split at white space.
        labels: a tuple for labels of the tokens; a string is one label for all.
        place: for messages.

    Raises:
        SeqexpError: no tokens, an empty token or label, or another number of labels than tokens.

    >>> token_example("the cat", ("DET", "NOUN"), "pets.tsv, line 1").text
    ('the', 'cat')
    >>> token_example("the cat", ("DET",), "pets.tsv, line 1")
    Traceback (most recent call last):
    seqexp.errors.SeqexpError: pets.tsv, line 1: 2 tokens, but 1 label; give each token one
    """
    if isinstance(tokens, str):
        tokens = tuple(whitespace_tokens(tokens))
    if not tokens:
        raise SeqexpError(f"{place}: the text is empty; remove it")
    of_each = labels if isinstance(labels, tuple) else ()
    if any(not token.strip() for token in tokens + of_each):
        raise SeqexpError(f"{place}: a token or a label is empty; supply it or remove both")
    if isinstance(labels, str) and not labels.strip():
        raise SeqexpError(f"{place}: the label is empty; supply it or remove the example")
    if isinstance(labels, tuple) and len(labels) != len(tokens):
        raise SeqexpError(
            f"{place}: {len(tokens)} token{'s' * (len(tokens) != 1)}, but "
            f"{len(labels)} label{'s' * (len(labels) != 1)}; give each token one"
        )
    if isinstance(labels, tuple):
        labels = tuple(label.strip() for label in labels)
    return TextExample(tokens, labels.strip() if isinstance(labels, str) else labels, place)


def some(path: str | Path, examples: Sequence[TextExample]) -> tuple[TextExample, ...]:
    """The examples of a file. Raises SeqexpError where there are none."""
    if not examples:
        raise SeqexpError(f"{path} holds no examples")
    return tuple(examples)
