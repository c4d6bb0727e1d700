"""Dyck languages against a stack, all words, and a closed form."""

from __future__ import annotations

from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqexp.tasks import Dyck
from seqexp.tasks.dyck import closed_share, opening_probabilities
from seqexp.tasks.synthetic import drawn
from seqexp.types import Prediction, SeqexpError

SIZES = {"valid_examples": 1, "test_examples": 1, "longest": 2, "longer_examples": 1}


def expected(text: str) -> str:
    """Which bracket may be closed behind each."""
    stack, told = [], ""
    for bracket in text:
        if bracket in "([{<":
            stack.append(")]}>"["([{<".index(bracket)])
        else:
            assert stack.pop() == bracket
        told += stack[-1] if stack else "-"
    assert not stack
    return told


def deepest(text: str) -> int:
    return max(np.cumsum([1 if bracket in "([{<" else -1 for bracket in text]))


@pytest.mark.parametrize(("kinds", "depth"), [(1, None), (2, None), (4, 3), (2, 1)])
@pytest.mark.parametrize("multiple", [1, 2])
def test_words_are_balanced_and_targets_those_of_a_stack(kinds, depth, multiple):
    task = Dyck(length=13, kinds=kinds, depth=depth, **SIZES)
    (inputs, lengths), targets, _ = drawn(task, jax.random.key(0), 200, multiple)
    fewest, most = (2, 12) if multiple == 1 else (14, 26)
    assert set(np.asarray(lengths)) == set(range(fewest, most + 1, 2))
    rows = zip(np.asarray(inputs), np.asarray(lengths), np.asarray(targets), strict=True)
    for tokens, length, labels in rows:
        text = "".join(task.symbols[int(token)] for token in tokens[:length])
        assert expected(text) == "".join(task.answers[int(label)] for label in labels[:length])
        assert depth is None or deepest(text) <= depth


def balanced(pairs: int, depth: int) -> list[str]:
    """All words of one kind."""
    words = map("".join, product("()", repeat=2 * pairs))
    return [w for w in words if w.count("(") == pairs and _never_below(w) and deepest(w) <= depth]


def _never_below(word: str) -> bool:
    return min(np.cumsum([1 if bracket == "(" else -1 for bracket in word])) >= 0


@pytest.mark.parametrize("depth", [2, 4])
def test_all_words_of_a_length_are_as_likely(depth):
    task = Dyck(length=8, kinds=1, depth=depth, **SIZES)
    inputs, lengths = drawn(task, jax.random.key(1), 16_000, 1).inputs
    words = np.asarray(inputs)[np.asarray(lengths) == 8]
    found, counts = np.unique(words, axis=0, return_counts=True)
    assert sorted("".join("()"[t] for t in word) for word in found) == sorted(balanced(4, depth))
    share = len(words) / len(found)
    assert abs(counts - share).max() < 4.5 * np.sqrt(share)


def test_without_a_bound_openings_have_the_closed_form():
    r, d = np.mgrid[1:31, 0:16]
    with np.errstate(divide="ignore"):
        closed_form = (d + 2) * (r - d) / (2 * r * (d + 1))
    possible = (d <= r) & ((r - d) % 2 == 0) & (d + r <= 30)
    found = opening_probabilities(30, 15)[1:]
    np.testing.assert_allclose(found[possible], closed_form[possible], rtol=1e-12)


def test_openings_stay_finite_where_numbers_of_words_outgrow_floats():
    found = opening_probabilities(2400, 3)
    assert np.isfinite(found).all() and 0 < found[2400, 0] <= 1 and found[2398, 3] == 0


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_the_closed_share_is_that_of_all_words(depth):
    told = [[expected(w) for w in balanced(n, depth)] for n in range(1, 5)]
    closed = sum(np.mean([text.count("-") for text in each]) for each in told)
    assert closed_share(4, depth) == pytest.approx(closed / sum(2 * n for n in range(1, 5)))


@pytest.mark.parametrize("kinds", [1, 3])
def test_the_best_constant_answer_reaches_the_baseline(kinds):
    task = Dyck(length=10, kinds=kinds, depth=None, **SIZES)
    batch = drawn(task, jax.random.key(2), 4000, 1)
    labels = np.asarray(batch.targets)[np.asarray(batch.inputs.mask)]
    (chance,) = task.baselines.values()
    assert abs(np.bincount(labels).max() / len(labels) - chance) < 0.02


def test_a_sequence_is_right_where_all_its_steps_are():
    task = Dyck(length=6, kinds=1, depth=None, **SIZES)
    batch = drawn(task, jax.random.key(3), 4, 1)
    logits = np.eye(2, dtype=np.float32)[np.asarray(batch.targets)]
    logits[~np.asarray(batch.inputs.mask)] = np.nan
    logits[1, 0] = logits[1, 0, ::-1]
    lengths = jnp.where(jnp.arange(4) == 3, 0, batch.inputs.lengths)
    batch = batch._replace(inputs=batch.inputs._replace(lengths=lengths))
    total, weight = task.measure(Prediction(jnp.asarray(logits), ()), batch)["sequence_accuracy"]
    assert (total, weight) == (2, 3)


@pytest.mark.parametrize("change", [{"length": 1}, {"kinds": 0}, {"kinds": 5}, {"depth": 0}])
def test_impossible_sizes_are_refused(change):
    (name,) = change
    with pytest.raises(SeqexpError, match=f"Dyck: {name} must be"):
        Dyck(**{"length": 6, "kinds": 1, "depth": None, **SIZES, **change})
