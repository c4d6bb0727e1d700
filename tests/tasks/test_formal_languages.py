"""Parity, cycle navigation and modular arithmetic, each against a slow version of its rule."""

from __future__ import annotations

from collections import Counter
from typing import Any

import jax
import numpy as np
import pytest

from seqexp.tasks import CycleNavigation, ModularArithmetic, Parity
from seqexp.tasks.bracketed_expressions import bracketed_value_probabilities
from seqexp.tasks.modular_arithmetic import value_probabilities
from seqexp.tasks.synthetic import drawn
from seqexp.types import SeqexpError
from tests.full import full

SIZES: dict[str, Any] = {
    "valid_examples": 1,
    "test_examples": 1,
    "longest": 2,
    "longer_examples": 1,
}
MANY = 4000


def bits(text: str) -> int:
    return text.count("1") % 2


def walk(text: str) -> int:
    return (text.count("+") - text.count("-")) % 5


def arithmetic(text: str) -> int:
    return eval(text) % 5


TASKS = {
    "parity": (Parity(length=9, **SIZES), bits),
    "cycle navigation": (CycleNavigation(length=9, **SIZES), walk),
    "modular arithmetic": (ModularArithmetic(length=9, **SIZES), arithmetic),
    "of even length": (ModularArithmetic(length=8, **SIZES), arithmetic),
    "with brackets": (ModularArithmetic(length=15, brackets=True, **SIZES), arithmetic),
    "shortest": (ModularArithmetic(length=3, brackets=True, **SIZES), arithmetic),
}
NAMES = [full(name) if name == "shortest" else name for name in TASKS]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("multiple", [1, 2])
def test_labels_are_what_the_rule_says(name, multiple):
    task, rule = TASKS[name]
    (inputs, lengths), targets, _ = drawn(task, jax.random.key(0), 300, multiple)
    assert inputs.shape == (300, multiple * task.length)
    read = zip(np.asarray(inputs), np.asarray(lengths), np.asarray(targets), strict=True)
    for tokens, length, label in read:
        text = "".join(task.symbols[token] for token in tokens[:length])
        assert rule(text) == label, text


@pytest.mark.parametrize(
    ("name", "multiple", "lengths"),
    [
        ("parity", 1, range(1, 10)),
        ("cycle navigation", 2, range(10, 19)),
        ("modular arithmetic", 1, range(1, 10, 2)),
        ("modular arithmetic", 2, range(11, 19, 2)),
        ("of even length", 1, range(1, 9, 2)),
        ("of even length", 2, range(9, 17, 2)),
        ("with brackets", 1, range(1, 15, 4)),
        full("with brackets", 2, range(17, 30, 4)),
    ],
)
def test_lengths_are_uniform(name, multiple, lengths):
    lengths_drawn = drawn(TASKS[name][0], jax.random.key(1), MANY, multiple).inputs.lengths
    found, counts = np.unique(np.asarray(lengths_drawn), return_counts=True)
    assert found.tolist() == list(lengths)
    expected = MANY / len(found)
    assert abs(counts - expected).max() < 4.5 * np.sqrt(expected)


@pytest.mark.parametrize("name", NAMES)
def test_the_best_constant_answer_reaches_the_baseline(name):
    task, _ = TASKS[name]
    labels = np.asarray(drawn(task, jax.random.key(2), MANY, 1).targets)
    (chance,) = task.baselines.values()
    frequent = np.bincount(labels).max() / MANY
    # Twice the standard deviation of a share, and what the greatest of several gains.
    assert abs(frequent - chance) < 0.025


def test_value_probabilities_are_those_of_all_expressions():
    """Of up to three numbers modulo 3, each written out."""
    found = value_probabilities(3, 3)
    texts = [[str(n) for n in range(3)]]
    for _ in range(2):
        texts.append([f"{t}{o}{n}" for t in texts[-1] for o in "+-*" for n in range(3)])
    counted = [np.bincount([eval(t) % 3 for t in each], minlength=3) / len(each) for each in texts]
    np.testing.assert_allclose(found, counted, rtol=1e-12)


def test_the_operation_done_last_is_uniform_on_each_level():
    """Of four numbers: one of three, and where it leaves three numbers, one of two."""
    task, _ = TASKS["with brackets"]
    (inputs, lengths), *_ = drawn(task, jax.random.key(3), MANY, 1)
    # Of four numbers the expressions have 13 symbols.
    signs = [".", ".", ".", ".", ".", "", "", "", "(", ")"]
    shapes = Counter(
        "".join(signs[token] for token in tokens)
        for tokens in np.asarray(inputs)[np.asarray(lengths) == 13, :13]
    )
    count = sum(shapes.values())
    expected = {
        "(.(.(..)))": 1 / 6,
        "(.((..).))": 1 / 6,
        "((..)(..))": 1 / 3,
        "((.(..)).)": 1 / 6,
        "(((..).).)": 1 / 6,
    }
    assert set(shapes) == set(expected)
    for shape, share in expected.items():
        assert abs(shapes[shape] / count - share) < 4.5 * np.sqrt(share * (1 - share) / count)


def test_bracketed_value_probabilities_are_those_of_all_expressions():
    """Of up to three numbers modulo 3, each written out."""
    one = [str(n) for n in range(3)]
    two = [f"({a}{o}{b})" for a in one for o in "+-*" for b in one]
    three = [
        f"({a}{o}{b})" for x, y in ((one, two), (two, one)) for a in x for o in "+-*" for b in y
    ]
    counted = [
        np.bincount([eval(t) % 3 for t in each], minlength=3) / len(each)
        for each in (one, two, three)
    ]
    np.testing.assert_allclose(bracketed_value_probabilities(3, 3), counted, rtol=1e-12)


@pytest.mark.parametrize(("length", "brackets"), [(1, None), (2, True)])
def test_there_is_a_length_between_that_of_training_and_its_double(length, brackets):
    with pytest.raises(SeqexpError, match=f"length must be an integer >= {length + 1}"):
        ModularArithmetic(length=length, brackets=brackets, **SIZES)
    ModularArithmetic(length=length, brackets=brackets, **{**SIZES, "longest": 1})


@pytest.mark.parametrize(
    ("kind", "change"), [(CycleNavigation, {"places": 2}), (ModularArithmetic, {"modulus": 1})]
)
def test_impossible_sizes_are_refused(kind, change):
    (name,) = change
    with pytest.raises(SeqexpError, match=f"{kind.__name__}: {name} must be"):
        kind(**{"length": 9, **SIZES, **change})
