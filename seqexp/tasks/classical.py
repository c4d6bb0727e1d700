"""Classical baselines for one label a sequence of tokens: none of them looks at the order.

Each takes a task's data and gives the accuracy on its test split; see `measured_baselines`.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from seqexp.types import Batch, Splits

STRENGTHS = (0.01, 0.1, 1.0, 10.0, 100.0)
"""Inverse strengths of regularisation, C, among which validation chooses."""


class Examples(NamedTuple):
    """Tokens of each sequence, without padding, and `[N]` labels."""

    tokens: list[list[int]]
    labels: np.ndarray


def most_frequent_class(splits: Splits) -> float:
    """Always the class that is most frequent in training."""
    train, test = _train(splits), _examples(splits.held_out["test"])
    return float(np.mean(test.labels == np.bincount(train.labels).argmax()))


def bag_of_words(splits: Splits) -> float:
    """Logistic regression on how often each token comes."""
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression

    model = partial(LogisticRegression, max_iter=2000)
    single: Any = tuple
    return _best(splits, CountVectorizer(analyzer=single), model)


def tfidf(splits: Splits, longest: int = 1) -> float:
    """A linear support vector machine on TF-IDF weights of tokens, or of n-grams too.

        tf(t, s) (ln((1 + N) / (1 + df(t))) + 1), scaled to a norm of 1 a sequence

    Args:
        splits: with inputs of tokens and one label a sequence.
        longest: n of the longest n-grams; 1 for tokens alone, which know nothing of the order.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.svm import LinearSVC

    ngrams: Any = partial(_ngrams, longest=longest)
    vectorizer = TfidfVectorizer(analyzer=ngrams)
    return _best(splits, vectorizer, partial(LinearSVC, dual=False))  # pyright: ignore[reportArgumentType]


def _best(splits: Splits, vectorizer: Any, model: Any) -> float:
    """The accuracy on test of the C that is best on validation; of several, of the least."""
    train = _train(splits)
    valid, test = (_examples(splits.held_out[name]) for name in ("valid", "test"))
    features = vectorizer.fit_transform(train.tokens)
    known = [(vectorizer.transform(each.tokens), each.labels) for each in (valid, test)]
    scores = []
    for C in STRENGTHS:
        fitted = model(C=C).fit(features, train.labels)
        scores.append([float(fitted.score(*each)) for each in known])
    return max(scores, key=lambda score: score[0])[1]


def _ngrams(tokens: list[int], longest: int) -> list[tuple[int, ...]]:
    """
    >>> _ngrams([5, 6, 7], longest=2)
    [(5,), (6,), (7,), (5, 6), (6, 7)]
    """
    return [
        tuple(tokens[start : start + n])
        for n in range(1, longest + 1)
        for start in range(len(tokens) - n + 1)
    ]


def _train(splits: Splits) -> Examples:
    parts = splits.train.all_examples()
    assert parts is not None, "classical baselines need training examples that have an end"
    return _examples(parts)


def _examples(parts: Iterable[Batch]) -> Examples:
    tokens, labels = [], []
    for part in parts:
        values, lengths = np.asarray(part.inputs.values), np.asarray(part.inputs.lengths)
        tokens += [row[:length].tolist() for row, length in zip(values, lengths, strict=True)]
        labels.append(np.asarray(part.targets))
    return Examples(tokens, np.concatenate(labels))
