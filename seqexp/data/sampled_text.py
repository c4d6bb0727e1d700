"""Text that a model of the next token is asked to go on with, and its symbols."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int


@dataclass(frozen=True)
class Text:
    """How to sample text from a next-token model.

    Attributes:
        symbols: the symbol of each token: `symbols[token]` is its character, or its word.
        prompt: what the sample starts with.
        length: how many symbols to draw.
        split: the symbols of a text; by default its characters.
        join: the text of symbols.
    """

    symbols: Sequence[str]
    prompt: str
    length: int
    split: Callable[[str], Sequence[str]] = list
    join: Callable[[Iterable[str]], str] = "".join

    def encode(self, written: str) -> Int[np.ndarray, " T"]:
        """A text as `[T]` tokens.

        >>> Text("abc", prompt="a", length=2).encode("cab")
        array([2, 0, 1], dtype=int32)
        """
        return np.asarray([self.symbols.index(symbol) for symbol in self.split(written)], np.int32)

    def spell(self, tokens: Iterable[Any]) -> str:
        """Tokens as a text.

        >>> Text(["to", "be"], "to", 2, str.split, " ".join).spell([0, 1, 0])
        'to be to'
        """
        return self.join(self.symbols[int(token)] for token in tokens)
