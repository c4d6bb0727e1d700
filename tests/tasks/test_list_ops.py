"""ListOps against a parser of its own, and the grammar's probabilities."""

from __future__ import annotations

import functools
from random import Random

import numpy as np
import pytest

from seqexp.tasks import ListOps
from seqexp.tasks.list_ops import SYMBOLS, draw_expression, draw_expressions
from seqexp.types import SeqexpError

SIZES = {"shortest": 5, "length": 20, "train_examples": 300, "valid_examples": 100}
SIZES |= {"test_examples": 100, "longest": 4, "longer_examples": 40, "buckets": 2}


@functools.cache
def splits():
    return ListOps(**SIZES).load()


def value(words: list[str]) -> int:
    """Of a whole list, by a stack."""
    stack = []
    for word in words:
        if word != "]":
            stack.append(word if word.startswith("[") else int(word))
            continue
        values = []
        while not isinstance(stack[-1], str):
            values.append(stack.pop())
        operation = {"[MAX": max, "[MIN": min, "[MED": lambda v: int(np.median(v))}
        operation["[SM"] = lambda v: sum(v) % 10
        stack.append(operation[stack.pop()](values))
    (result,) = stack
    return result


def rows(parts):
    for part in parts:
        read = zip(*map(np.asarray, (*part.inputs, part.targets)), strict=True)
        yield from (([SYMBOLS[t] for t in row[:n]], int(label)) for row, n, label in read)


def test_labels_are_the_values_and_lengths_in_range():
    train = splits().train.all_examples()
    ranges = {"train": (5, 20), "valid": (5, 20), "test": (5, 20)}
    ranges |= {"length 2x": (21, 40), "length 4x": (41, 80)}
    parts = {"train": train, **splits().held_out}
    assert parts.keys() == ranges.keys()
    for name, (fewest, most) in ranges.items():
        for words, label in rows(parts[name]):
            assert value(words) == label, words
            assert fewest <= len(words) <= most


def test_no_list_is_in_two_splits():
    parts = [splits().train.all_examples(), *splits().held_out.values()]
    texts = [" ".join(words) for split in parts for words, _ in rows(split)]
    assert len(set(texts)) == len(texts) == 300 + 100 + 100 + 40 + 40


def test_the_grammar_has_the_published_probabilities():
    uniform = Random(3).random
    drawn = [draw_expression(uniform, 4000) for _ in range(3000)]
    lists = [tokens for tokens, _ in filter(None, drawn)]
    depth = [np.cumsum([(t in range(10, 14)) - (t == 14) for t in tokens]) for tokens in lists]
    arguments = nested = 0
    for tokens, deep in zip(lists, depth, strict=True):
        arguments += sum(d == 1 for t, d in zip(tokens, deep, strict=True) if t < 10 or t == 14)
        nested += sum(d == 1 for t, d in zip(tokens, deep, strict=True) if t == 14)
    # 3.5 arguments in the mean, a standard deviation of 0.02; 1/4 of them lists, of 0.005.
    assert abs(arguments / 3000 - 3.5) < 0.1
    assert abs(nested / arguments - 0.25) < 0.025
    assert max(map(max, depth)) <= 20
    operators = np.bincount([tokens[0] - 10 for tokens in lists], minlength=4)
    assert abs(operators - 750).max() < 110


def test_too_many_are_refused():
    with pytest.raises(SeqexpError, match="there are not 500 expressions of 4 to 4 tokens"):
        draw_expressions(0, 4, 4, 500)


@pytest.mark.parametrize(
    "change",
    [{"shortest": 3}, {"length": 4}, {"train_examples": 0}, {"longest": 3}, {"buckets": "some"}],
)
def test_impossible_sizes_are_refused(change):
    (name,) = change
    with pytest.raises(SeqexpError, match=f"ListOps: {name} must be"):
        ListOps(**SIZES | change)
