"""Write words and marks of punctuation as running text."""

from __future__ import annotations

from collections.abc import Iterable

BEFORE = frozenset(".,!?;:)]}%“”’")
"""Marks without a space before them. `“` closes a German quotation, which `„` opens."""
AFTER = frozenset("([{#$„‚")
"""Marks without a space after them."""
BETWEEN = frozenset("-'/‘_")
"""Marks that join what stands on both sides: `T-shirt`, `don't`."""


def detokenize(words: Iterable[str]) -> str:
    """The text of words that `Words("punctuation")` split, for English and German.

    Of the straight quotation marks of a text the first opens, the second closes, and so on. The
    rules are a guess where a text does not follow the common usage of spaces.

    Args:
        words: in order, marks of punctuation among them.

    >>> detokenize(["A", "man", "'", "s", "T", "-", "shirt", "says", '"', "Hi", "!", '"', "."])
    'A man\\'s T-shirt says "Hi!".'
    """
    text, quoted, joined = "", False, True
    for word in words:
        closes = word == '"' and quoted
        if not (joined or closes or word in BEFORE or word in BETWEEN):
            text += " "
        text += word
        quoted ^= word == '"'
        joined = word in AFTER or word in BETWEEN or (word == '"' and quoted)
    return text
