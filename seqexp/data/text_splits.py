"""Splits of a user's own text: by files, or by a rule that anyone can repeat."""

from __future__ import annotations

import json
import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Sequence
from hashlib import sha256
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any, NamedTuple

from seqexp.data.text_examples import TextExample
from seqexp.data.text_files import read_plain_text
from seqexp.types import SeqexpError


class TextSplits(NamedTuple):
    """The examples of each split, in the order of their file."""

    train: tuple[TextExample, ...]
    valid: tuple[TextExample, ...]
    test: tuple[TextExample, ...]

    @property
    def counts(self) -> dict[str, int]:
        """How many examples each split has."""
        return {name: len(examples) for name, examples in self._asdict().items()}

    @property
    def sha256(self) -> str:
        """Hash of the texts and labels of each split, 64 hexadecimal digits."""
        content = [[(text, label) for text, label, _ in examples] for examples in self]
        return sha256(json.dumps(content).encode()).hexdigest()

    def duplicates(self) -> str | None:
        """One line that says how many texts of a held-out split also occur in an earlier one; None
        where none does."""
        said, seen = [], {}
        for name, examples in self._asdict().items():
            for earlier, texts in seen.items():
                count = sum(example.text in texts for example in examples)
                if count:
                    said.append(f"{count} of {len(examples)} {name} texts also occur in {earlier}")
            seen[name] = {example.text for example in examples}
        return "; ".join(said) or None


def load_splits(
    read: Callable[[str | Path], Sequence[TextExample]],
    train: str | Path,
    valid: str | Path | None = None,
    test: str | Path | None = None,
    *,
    split: Sequence[float] | None = None,
    seed: int = 0,
) -> TextSplits:
    """Examples of splits that have a file each, or that are divided from the one of `train`.

    Args:
        read: from a path to its examples, such as `partial(read_csv, columns=Columns(...))`.
        train: file or folder.
        valid: None to divide `train`.
        test: None to divide `train`.
        split: shares of what `train` is divided into: "train", and "valid" and "test" where these
            have no file, as in `(0.8, 0.1, 0.1)`; None where both have one.
        seed: of the division, see `divide`.

    Raises:
        SeqexpError: shares that don't fit the files, the same file twice, an empty split, and what
            `read` raises.
    """

    def divided(shares: Sequence[float]) -> list[tuple[TextExample, ...]]:
        return divide(read(train), shares, seed)

    return TextSplits(*_load(train, valid, test, split, lambda path: tuple(read(path)), divided))


def load_plain_text(
    train: str | Path,
    valid: str | Path | None = None,
    test: str | Path | None = None,
    *,
    split: Sequence[float] | None = None,
) -> tuple[str, str, str]:
    """The text of training, validation and test, for a language model.

    The arguments are those of `load_splits`; a text is divided by `cut`, and no seed is needed.
    Raises SeqexpError as `load_splits` and `read_plain_text` do.
    """

    def divided(shares: Sequence[float]) -> list[str]:
        return cut(read_plain_text(train), shares)

    first, second, third = _load(train, valid, test, split, read_plain_text, divided)
    return first, second, third


def divide(
    examples: Sequence[TextExample], shares: Sequence[float], seed: int
) -> list[tuple[TextExample, ...]]:
    """Divide examples by chance into parts, each label in nearly the same shares.

    The n examples of a label, in the order of the sha256 of `seed` and text, stand at the places
    (i + u) / n of the unit interval, with u in [0, 1) drawn by the sha256 of seed and label; the
    shares cut it in this order. So each part has its share of a label but for less than one
    example, and the order of the rows is of no consequence. Copies of a text with the same label
    stay with the first, and a label that occurs once is in the first part. Examples without a label
    for the whole text are divided as if they had the same.

    Args:
        examples: N of them.
        shares: positive, of sum 1.
        seed: any integer.

    Raises:
        SeqexpError: shares that are no shares, or an empty part.
    """
    ends = _ends(shares)
    strata: dict[str | None, list[int]] = defaultdict(list)
    for number, example in enumerate(examples):
        strata[example.label if isinstance(example.label, str) else None].append(number)
    part = [0] * len(examples)
    for label, numbers in strata.items():
        ranked = sorted((_drawn(seed, examples[number].text), number) for number in numbers)
        offset = int(_drawn(seed, label)[:12], 16) / 16**12
        before = None
        for rank, (drawn, number) in enumerate(ranked):
            if before is None or drawn != before[0]:
                place = (rank + offset) / len(ranked) if len(ranked) > 1 else 0.0
                before = drawn, bisect_right(ends, place)
            part[number] = before[1]
    parts = [
        tuple(example for example, own in zip(examples, part, strict=True) if own == index)
        for index in range(len(shares))
    ]
    _refuse_empty(parts, shares, f"{len(examples)} examples")
    return parts


def cut(text: str, shares: Sequence[float]) -> list[str]:
    """Cut a text into consecutive parts of these shares of its characters, rounded down.

    Raises SeqexpError for shares that are no shares, or an empty part.

    >>> cut("abcdefghij", (0.8, 0.1, 0.1))
    ['abcdefgh', 'i', 'j']
    """
    # Adding 1e-9 makes 0.7 + 0.2 of 10 characters 9 of them, and not 8.
    ends = [math.floor(end * len(text) + 1e-9) for end in _ends(shares)]
    parts = [text[start:end] for start, end in pairwise([0, *ends, len(text)])]
    _refuse_empty(parts, shares, f"{len(text)} characters")
    return parts


def _load(
    train: str | Path,
    valid: str | Path | None,
    test: str | Path | None,
    split: Sequence[float] | None,
    read: Callable[[str | Path], Any],
    divided: Callable[[Sequence[float]], Sequence[Any]],
) -> list[Any]:
    paths = {"train": train, "valid": valid, "test": test}
    given = {name: path for name, path in paths.items() if path is not None}
    if len({Path(path).resolve() for path in given.values()}) < len(given):
        raise SeqexpError(
            f"two of {', '.join(map(str, given.values()))} are the same file: give another one, or "
            "leave it out and divide the first by split"
        )
    divide_into = ["train", *(name for name in paths if name not in given)]
    if len(divide_into) == 1:
        if split:
            raise SeqexpError(
                f"split is {list(split)}, but each split has a file of its own: leave one or the "
                "other out"
            )
        return [read(path) for path in given.values()]
    if not split or len(split) != len(divide_into):
        raise SeqexpError(
            f"split is {split and list(split)}, but must be {len(divide_into)} shares that add up "
            f"to 1, for {', '.join(divide_into)}"
        )
    found = dict(zip(divide_into, divided(split), strict=True))
    return [found[name] if name in found else read(given[name]) for name in paths]


def _ends(shares: Sequence[float]) -> list[float]:
    """Where each part but the last ends."""
    if min(shares, default=0) <= 0 or not math.isclose(sum(shares), 1, abs_tol=1e-6):
        raise SeqexpError(f"shares of a split must be above 0 and add up to 1, not {list(shares)}")
    return list(accumulate(shares))[:-1]


def _drawn(seed: int, content: object) -> str:
    return sha256(json.dumps([seed, content]).encode()).hexdigest()


def _refuse_empty(parts: Sequence[Any], shares: Sequence[float], what: str) -> None:
    if not all(parts):
        raise SeqexpError(
            f"{what} in shares {list(shares)} make an empty split: give more data or larger shares"
        )
