"""Interpolated n-grams, the classical language model."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from seqexp.types import Batch, Splits

LONGEST = 8


def ngram_bits(splits: Splits, size: int, longest: int = LONGEST) -> float:
    """Bits per token of the test split, in its order, by `witten_bell` n-grams of the training one.

    The n, of 1 to `longest`, is chosen by validation. Unlike a model that reads windows, an n-gram
    reads across their borders.

    Args:
        splits: of a language model; what it trains on is one part, in its order.
        size: V, of the vocabulary.
        longest: the greatest n.
    """
    parts = splits.train.all_examples()
    assert parts is not None
    train, valid, test = (
        tokens_in_order(part)
        for part in (parts[0], splits.held_out["valid"][0], splits.held_out["test"][0])
    )
    best, bits = math.inf, math.nan
    for on_valid, on_test in zip(
        witten_bell(train, valid, size, longest),
        witten_bell(train, test, size, longest),
        strict=True,
    ):
        score = _bits(on_valid)
        if score < best:
            best, bits = score, _bits(on_test)
    return bits


def tokens_in_order(windows: Batch) -> np.ndarray:
    """The tokens of consecutive windows, `[n]`: the first that is read, and all targets.

    >>> from seqexp.data.padding import consecutive_windows
    >>> tokens_in_order(consecutive_windows(np.array([5, 6, 7, 8]), length=2)).tolist()
    [5, 6, 7, 8]
    """
    first = np.asarray(windows.inputs.values)[0, :1]
    return np.concatenate([first, np.asarray(windows.targets)[np.asarray(windows.inputs.mask)]])


def witten_bell(
    train: np.ndarray, text: np.ndarray, size: int, longest: int
) -> Iterator[np.ndarray]:
    """The probability of each token of a text but its first, `[n - 1]`, by n-grams, n = 1, 2, ...

        p_n(w | h) = (c(h w) + t(h) p_{n-1}(w | h')) / (c(h) + t(h)),    p_0 = 1 / V

    with c the counts in the training text, t(h) how many different tokens follow h there, and h'
    less the oldest token of h. Unseen h leave p_{n-1}.

    Witten & Bell 1991, "The zero-frequency problem", method C,
    https://doi.org/10.1109/18.87000; interpolated as in Chen & Goodman 1999,
    https://doi.org/10.1006/csla.1999.0128.

    Args:
        train: `[N]` tokens.
        text: `[n]` tokens.
        size: V.
        longest: the greatest n.
    """
    tokens = np.concatenate([train, text]).astype(np.int64)
    trained, asked = slice(0, len(train)), slice(len(train) + 1, None)
    # What the tokens before each one are, as a number; those of no history of this length have
    # numbers of their own, so that no text reads into another.
    history = np.zeros(len(tokens), np.int64)
    probability = np.full(len(tokens), 1 / size)
    for n in range(1, longest + 1):
        if n > 1:
            history[1:] = _numbered(history[:-1] * size + tokens[:-1])
            for start in (0, len(train)):
                own = slice(start, start + n - 1)
                history[own] = history.max() + 1 + np.arange(len(history[own]))
        grams = _numbered(history * size + tokens)
        counts = np.bincount(grams[trained], minlength=grams.max() + 1)
        of_history = np.bincount(history[trained], minlength=history.max() + 1)
        distinct = np.unique(grams[trained], return_index=True)[1]
        followers = np.bincount(history[trained][distinct], minlength=history.max() + 1)
        weight = of_history[history] + followers[history]
        mixed = (counts[grams] + followers[history] * probability) / np.maximum(weight, 1)
        probability = np.where(weight > 0, mixed, probability)
        yield probability[asked]


def _numbered(values: np.ndarray) -> np.ndarray:
    return np.unique(values, return_inverse=True)[1].reshape(-1)


def _bits(probabilities: np.ndarray) -> float:
    return float(-np.log2(probabilities).mean())
