"""IBM model 1 against its equations, word by word."""

from collections import defaultdict

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from seqexp.tasks.word_table import translated, word_tables

SENTENCE = st.lists(st.sampled_from("abcd"), min_size=1, max_size=4)
PAIRS = st.lists(st.tuples(SENTENCE, SENTENCE.map(lambda s: [w.upper() for w in s])), min_size=1)


def slow(pairs, iterations: int):
    """t(e | f) in a dictionary, as in Brown et al. 1993; f is None for the empty word."""
    t = defaultdict(lambda: 1.0)
    for _ in range(iterations):
        counts, totals = defaultdict(float), defaultdict(float)
        for source, target in pairs:
            for e in target:
                norm = sum(t[e, f] for f in [None, *source])
                for f in [None, *source]:
                    counts[e, f] += t[e, f] / norm
                    totals[f] += t[e, f] / norm
        t = {(e, f): count / totals[f] for (e, f), count in counts.items()}
    return t


@settings(deadline=None, derandomize=True, max_examples=30)
@given(PAIRS, st.integers(1, 4))
def test_the_likeliest_of_each_word_is_that_of_the_equations(pairs, iterations):
    *_, table = word_tables(pairs, iterations)
    t = slow(pairs, iterations)
    assert table.keys() == {f for source, _ in pairs for f in source}
    for f, e in table.items():
        best = max(p for (_, given_f), p in t.items() if given_f == f)
        assert t[e, f] == pytest.approx(best, rel=1e-9)


def test_em_finds_what_goes_together_with_each_word():
    """`la` stands beside each of the others, and only `the` does so, too."""
    pairs = [
        (["la", "maison"], ["the", "house"]),
        (["la", "maison", "bleue"], ["the", "blue", "house"]),
        (["la", "fleur"], ["the", "flower"]),
    ]
    *_, table = word_tables(pairs, iterations=10)
    wanted = {"la": "the", "maison": "house", "bleue": "blue", "fleur": "flower"}
    assert table == wanted
    assert translated(table, ["la", "fleur", "rouge"]) == ["the", "flower", "rouge"]


def test_of_equals_the_first_is_taken():
    assert next(word_tables([(["a"], ["X", "Y"]), (["b"], ["Y", "X"])], 1)) == {"a": "X", "b": "X"}
