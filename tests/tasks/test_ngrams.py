"""N-grams against counts one by one."""

from __future__ import annotations

from collections import Counter

import jax.numpy as jnp
import numpy as np
import pytest

from seqexp.data.padding import consecutive_windows
from seqexp.data.streams import Windows
from seqexp.tasks.ngrams import ngram_bits, tokens_in_order, witten_bell
from seqexp.types import Splits


def slow(train: list[int], text: list[int], size: int, n: int) -> list[float]:
    """The recursion of the docstring, from dictionaries of tuples."""
    counts = [Counter(tuple(train[i - k : i + 1]) for i in range(k, len(train))) for k in range(n)]

    def probability(history: tuple[int, ...], token: int) -> float:
        shorter = probability(history[1:], token) if history else 1 / size
        known = {gram: c for gram, c in counts[len(history)].items() if gram[:-1] == history}
        if not known:
            return shorter
        weight = known.get((*history, token), 0) + len(known) * shorter
        return weight / (sum(known.values()) + len(known))

    return [probability(tuple(text[max(0, i - n + 1) : i]), text[i]) for i in range(1, len(text))]


@pytest.mark.parametrize("seed", range(3))
def test_probabilities_are_those_of_counts(seed):
    rng = np.random.default_rng(seed)
    train, text = rng.integers(0, 3, 40), rng.integers(0, 4, 12)
    for n, found in enumerate(witten_bell(train, text, size=4, longest=4), start=1):
        # A history that the text is too short for is unseen, and leaves the shorter one.
        np.testing.assert_allclose(found, slow(train.tolist(), text.tolist(), 4, n), rtol=1e-12)


def test_probabilities_add_up():
    train = np.random.default_rng(0).integers(0, 5, 60)
    each = [
        list(witten_bell(train, np.array([1, 2, last]), size=5, longest=3))[-1][-1]
        for last in range(5)
    ]
    assert sum(each) == pytest.approx(1)


def test_n_is_chosen_by_validation():
    """Of a text that repeats itself, long histories predict the next token surely."""
    text = np.tile([0, 1, 0, 2], 50)

    def split(tokens):
        return (consecutive_windows(tokens, 10),)

    held_out = {"valid": split(text[:41]), "test": split(text[:61])}
    bits = ngram_bits(Splits(Windows(jnp.asarray(text), 10), held_out), size=3)
    of_pairs = -np.log2(list(witten_bell(text, text[:61], 3, 2))[-1]).mean()
    assert bits < 0.1 < of_pairs


def test_windows_are_put_in_order():
    tokens = np.arange(23)
    np.testing.assert_array_equal(tokens_in_order(consecutive_windows(tokens, 5)), tokens)
