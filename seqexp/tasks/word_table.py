"""Translation word by word, the classical baseline: a table learned by IBM model 1."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

Pairs = Sequence[tuple[Sequence[str], Sequence[str]]]
"""Sentences in words, each with its translation."""


def word_tables(pairs: Pairs, iterations: int) -> Iterator[Mapping[str, str]]:
    """The likeliest translation of each source word, after each iteration of EM for IBM model 1.

        p(e | f) = prod_j 1/(I + 1) sum_i t(e_j | f_i),    i = 0 .. I, with f_0 the empty word
        expectation   c(e, f) = sum over pairs and j of t(e_j | f) / sum_i t(e_j | f_i)
        maximisation  t(e | f) = c(e, f) / sum_e' c(e', f)

    from a uniform t. Of equally likely translations the one that occurs first is taken.

    Brown et al. 1993, "The mathematics of statistical machine translation",
    https://aclanthology.org/J93-2003.

    Args:
        pairs: to learn from.
        iterations: how many.

    >>> pairs = [(["das", "Haus"], ["the", "house"]), (["das", "Buch"], ["the", "book"])]
    >>> *_, table = word_tables(pairs, iterations=5)
    >>> dict(table)
    {'das': 'the', 'Haus': 'house', 'Buch': 'book'}
    """
    sources: dict[str, int] = {}
    targets: dict[str, int] = {}
    words, of_target, lengths = [], [], []
    for source, target in pairs:
        f = [0, *(sources.setdefault(word, len(sources) + 1) for word in source)]
        e = [targets.setdefault(word, len(targets)) for word in target]
        # Each word of the translation beside each of the source.
        words.append(np.tile(f, len(e)))
        of_target.append(np.repeat(e, len(f)))
        lengths.append(np.full(len(e), len(f)))
    names = list(targets)
    f, e = np.concatenate(words), np.concatenate(of_target)
    spans = np.concatenate(lengths)
    position = np.repeat(np.arange(len(spans)), spans)
    together, entry = np.unique(f.astype(np.int64) * len(names) + e, return_inverse=True)
    f_of, e_of = np.divmod(together, len(names))
    t = np.ones(len(together))
    for _ in range(iterations):
        share = t[entry] / np.bincount(position, t[entry])[position]
        counts = np.bincount(entry, share)
        t = counts / np.bincount(f_of, counts)[f_of]
        # Ordered by f, then by falling t: the first of each f is its likeliest.
        order = np.lexsort((e_of, -t, f_of))
        best = order[np.searchsorted(f_of[order], np.arange(1, len(sources) + 1))]
        yield {word: names[e_of[place]] for word, place in zip(sources, best, strict=True)}


def translated(table: Mapping[str, str], source: Sequence[str]) -> list[str]:
    """A sentence word by word, in the order of the source; words that no table has are copied.

    >>> translated({"das": "the"}, ["das", "Flickr"])
    ['the', 'Flickr']
    """
    return [table.get(word, word) for word in source]
