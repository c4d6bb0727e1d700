"""ListOps: the value of nested lists of operations on digits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import Literal

import jax.numpy as jnp
import numpy as np

from seqexp.data.buckets import require_buckets, splits_in_buckets
from seqexp.data.padding import pad
from seqexp.tasks.arguments import require_count
from seqexp.tasks.baselines import measured_baselines
from seqexp.tasks.classical import bag_of_words, most_frequent_class
from seqexp.tasks.labels import TokenLabelTask
from seqexp.tasks.synthetic import lengths_between, longer_name, multiples, require_longest
from seqexp.types import (
    Batch,
    SeqexpError,
    Sequences,
    Splits,
    TaskSpec,
    Tokens,
)

SEED = 2_018
DIGITS = 10
SYMBOLS = (*map(str, range(DIGITS)), "[MAX", "[MIN", "[MED", "[SM", "]")
MAX, MIN, MED, SM, CLOSE = range(DIGITS, len(SYMBOLS))
NESTED, MOST_ARGUMENTS, DEEPEST = 0.25, 5, 20
"""How often an argument is a list itself, the most arguments, and how deep lists are nested."""

Expression = tuple[list[int], int]
"""Tokens, and their value."""


@dataclass(frozen=True, kw_only=True)
class ListOps(TokenLabelTask):
    """Operations on 2 to 5 digits or lists: greatest, least, median, and sum modulo 10.

    The value of a whole list, a digit, is the label. For example

        inputs  [MAX 2 9 [MIN 4 7 ] 0 ]     target  9

    The median of an even number of arguments is the mean of the middle two, rounded down. Lists are
    drawn by the published grammar, with a probability of 1/4 that an argument is a list; what is
    not of `shortest` to `length` tokens, or came before, is drawn again, so that shorter ones are
    more frequent. Further splits have longer lists, "length 2x" those above `length` up to twice as
    long. No list is in two splits.

    Nangia & Bowman 2018, "ListOps: A diagnostic dataset for latent tree learning",
    https://arxiv.org/abs/1804.06028 (90,000 examples, up to 100 tokens and more). Tay et al. 2020,
    "Long range arena", https://arxiv.org/abs/2011.04006, take 500 to 2,000 tokens.

    Attributes:
        shortest: the fewest tokens in training, 4 to `length`.
        length: the most.
        train_examples: size of the training split.
        valid_examples: of the validation split.
        test_examples: of the test split.
        longest: the greatest multiple of `length` that is tested, a power of two; 1 for none.
        longer_examples: size of each split of longer lists.
        buckets: of lengths, at most; or auto.

    Raises:
        SeqexpError: a size does not fit, or `longest` is no power of two.
    """

    shortest: int
    length: int
    train_examples: int
    valid_examples: int
    test_examples: int
    longest: int
    longer_examples: int
    buckets: int | Literal["auto"]

    def __post_init__(self) -> None:
        least = {"shortest": 4, "length": self.shortest}
        sizes = "train_examples", "valid_examples", "test_examples", "longer_examples"
        for name, minimum in (least | dict.fromkeys(sizes, 1)).items():
            require_count("ListOps", name, getattr(self, name), minimum)
        require_longest("ListOps", self.longest)
        require_buckets("ListOps", self.buckets)

    @property
    def spec(self) -> TaskSpec:
        return TaskSpec(
            Tokens(len(SYMBOLS)),
            "sequence",
            DIGITS,
            max_length=self.longest * self.length,
            causal=False,
            targets="labels",
            trained_length=self.length,
        )

    @property
    def baselines(self) -> Mapping[str, float]:
        """Accuracies on the test split."""
        methods = {"most frequent class": most_frequent_class, "bag of words": bag_of_words}
        return measured_baselines(self, methods)

    def load(self) -> Splits:
        counts = self.train_examples, self.valid_examples, self.test_examples
        usual = draw_expressions(SEED, self.shortest, self.length, sum(counts))
        ends = np.cumsum(counts)
        parts = zip(("train", "valid", "test"), [0, *ends], ends, strict=False)
        splits = {name: _split(usual[first:last], self.length) for name, first, last in parts}
        for multiple in multiples(self.longest):
            above, most = lengths_between(self.length, multiple)
            longer = draw_expressions(SEED + multiple, above + 1, most, self.longer_examples)
            splits[longer_name(multiple)] = _split(longer, most)
        return splits_in_buckets(self.spec, splits, self.buckets)

    @property
    def symbols(self) -> Sequence[str]:
        return SYMBOLS

    @property
    def answers(self) -> Sequence[str]:
        return SYMBOLS


@lru_cache(maxsize=8)
def draw_expressions(seed: int, shortest: int, most: int, count: int) -> Sequence[Expression]:
    """So many different expressions of `shortest` to `most` tokens.

    Raises:
        SeqexpError: there are hardly so many.
    """
    uniform = Random(seed).random  # its stream is promised never to change
    found: dict[tuple[int, ...], Expression] = {}
    again = 0
    while len(found) < count:
        drawn = draw_expression(uniform, most)
        if drawn is None or len(drawn[0]) < shortest:
            continue
        new = found.setdefault(tuple(drawn[0]), drawn) is drawn
        again = 0 if new else again + 1
        if again > 1000:
            raise SeqexpError(
                f"ListOps: there are not {count:,} expressions of {shortest} to {most} tokens: "
                "ask for fewer examples, or a greater length"
            )
    return tuple(found.values())


def draw_expression(uniform: Callable[[], float], most: int, depth: int = 1) -> Expression | None:
    """An expression by the grammar; None where it is longer than `most` tokens.

    Args:
        uniform: draws from [0, 1).
        most: tokens.
        depth: of its list, 1 outside of any other.
    """
    tokens, values = [DIGITS + int(4 * uniform())], []
    for _ in range(2 + int((MOST_ARGUMENTS - 1) * uniform())):
        if depth < DEEPEST and uniform() < NESTED:
            inner = draw_expression(uniform, most - len(tokens) - 1, depth + 1)
        else:
            digit = int(DIGITS * uniform())
            inner = [digit], digit
        if inner is None or len(tokens) + len(inner[0]) >= most:
            return None
        tokens += inner[0]
        values.append(inner[1])
    return [*tokens, CLOSE], apply(tokens[0], values)


def apply(operator: int, values: Sequence[int]) -> int:
    """
    >>> [apply(operator, [2, 9, 4, 0]) for operator in (MAX, MIN, MED, SM)]
    [9, 0, 3, 5]
    """
    if operator == MED:
        ranked, middle = sorted(values), len(values) // 2
        return (ranked[middle] + ranked[~middle]) // 2
    return {MAX: max, MIN: min, SM: lambda each: sum(each) % DIGITS}[operator](values)


def _split(expressions: Sequence[Expression], most: int) -> Batch:
    tokens = [np.array(each, np.int32) for each, _ in expressions]
    values, lengths = pad(tokens, most)
    inputs = Sequences(jnp.asarray(values), jnp.asarray(lengths))
    return Batch(inputs, jnp.asarray([value for _, value in expressions], jnp.int32))
