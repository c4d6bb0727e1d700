"""Classical baselines on data whose best answers are known."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from seqexp.data.streams import Examples
from seqexp.tasks.classical import bag_of_words, most_frequent_class, tfidf
from seqexp.types import Batch, Sequences, Splits


def batch(sequences: list[list[int]], labels: list[int]) -> Batch:
    values = np.full((len(sequences), 6), 9, np.int32)  # padding is no zero
    for row, sequence in zip(values, sequences, strict=True):
        row[: len(sequence)] = sequence
    lengths = jnp.array([len(sequence) for sequence in sequences])
    return Batch(Sequences(jnp.asarray(values), lengths), jnp.array(labels))


def splits(rule, train: int = 300) -> Splits:
    """Random sequences of tokens below 9, labelled by a rule."""
    rng = np.random.default_rng(0)

    def split(count: int) -> Batch:
        sequences = [rng.integers(0, 9, rng.integers(2, 7)).tolist() for _ in range(count)]
        return batch(sequences, [rule(sequence) for sequence in sequences])

    valid, test = split(200), split(200)
    held_out = {
        "valid": (valid,),
        "test": tuple(
            Batch(Sequences(*(a[part] for a in test.inputs)), test.targets[part])
            for part in (slice(0, 50), slice(50, 200))
        ),
    }
    return Splits(Examples(split(train)), held_out)


@pytest.mark.parametrize("method", [bag_of_words, tfidf])
def test_a_word_that_tells_is_found(method):
    assert method(splits(lambda sequence: int(4 in sequence))) > 0.97


@pytest.mark.parametrize("method", [bag_of_words, tfidf])
def test_order_is_not_seen(method):
    by_order = splits(lambda sequence: int(sequence[0] < sequence[-1]))
    assert method(by_order) < 0.65


def test_pairs_of_words_are_seen_if_asked_for():
    first = splits(lambda sequence: int((3, 5) in zip(sequence, sequence[1:], strict=False)), 3000)
    told = sum(int(part.targets.sum()) for part in first.held_out["test"])
    assert tfidf(first, longest=2) == 1 > 1 - told / 200 == most_frequent_class(first)


def test_the_most_frequent_class_is_that_of_training():
    data = Splits(
        Examples(batch([[1], [2], [3]], [2, 0, 2])),
        {"valid": (batch([[1]], [0]),), "test": (batch([[1], [2], [3], [4]], [0, 0, 2, 1]),)},
    )
    assert most_frequent_class(data) == 1 / 4


def test_the_strength_is_chosen_on_validation():
    """Labels of training are noise, and what validation likes by chance decides, not the test."""
    rng = np.random.default_rng(1)
    noise = splits(lambda sequence: int(rng.integers(2)), 40)
    valid, test = noise.held_out["valid"], noise.held_out["test"]
    changed = {"valid": test, "test": valid}
    assert bag_of_words(noise) != bag_of_words(noise._replace(held_out=changed))
