"""Words and classes against a slow search, and what has no class of its own."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqexp.data.word_classes import WordsAndClasses, classes_of, words_and_classes
from seqexp.types import SeqexpError

SENTENCES = [["the", "cat", "saw", "the", "Walking", "dog"], ["the", "dog", "was", "barking", "!"]]


@pytest.mark.parametrize(
    ("word", "telling"),
    [
        ("walking", "<a ing>"),
        ("Walking", "<Aa ing>"),
        ("WALKING", "<A ing>"),
        ("I", "<Aa i>"),
        ("of", "<a of>"),
        ("1,000", "<0>"),
        ("mp3", "<a0>"),
        ("F-16", "<A-0>"),
        ("well-known", "<a->"),
        ("-", "<.>"),
        ("...", "<.>"),
        ("can't", "<a>"),
    ],
)
def test_the_most_telling_class(word, telling):
    found = classes_of(word)
    assert found[0] == telling and found[-1] == "<unk>"


@settings(deadline=None, derandomize=True, max_examples=50)
@given(st.text(min_size=1))
def test_every_word_has_its_shape_and_is_unknown_at_the_end(word):
    found = classes_of(word)
    assert 2 <= len(found) <= 5 and found[-1] == "<unk>" and len(set(found)) == len(found)


def test_frequent_words_are_themselves_and_others_the_most_telling_class_that_is_known():
    # Frequent: the (3), dog (2). Of the others, <a> comes four times, what else first is <a cat>.
    found = words_and_classes(SENTENCES, words=2, classes=3)
    assert found.words == ("the", "dog")
    assert found.classes == ("<unk>", "<a>", "<a cat>")
    assert found.symbols == found.classes + found.words
    read = [found.symbols[token] for token in found.encode(["the", "mouse", "Mouse", "dog"])]
    assert read == ["the", "<a>", "<unk>", "dog"]


def test_tokens_of_training_words_by_a_slow_search():
    found = words_and_classes(SENTENCES, words=3, classes=6)
    for sentence in SENTENCES:
        tokens = found.encode(sentence)
        assert tokens.dtype == np.int32
        for word, token in zip(sentence, tokens, strict=True):
            if word in found.words:
                assert found.symbols[token] == word
            else:
                place = classes_of(word).index(found.symbols[token])
                assert not set(classes_of(word)[:place]) & set(found.classes)


def test_a_single_class_is_unknown_words():
    found = words_and_classes(SENTENCES, words=1, classes=1)
    assert found.encode(["the", "cat", "?"]).tolist() == [1, 0, 0]


def test_a_word_that_looks_like_a_class_is_no_class():
    found = WordsAndClasses(words=("<a>",), classes=("<unk>", "<a>"))
    assert found.encode(["<a>", "cat"]).tolist() == [2, 1]


@pytest.mark.parametrize(
    ("words", "classes", "message"),
    [(0, 1, "has 8 words"), (9, 1, "has 8 words"), (2, 0, "classes"), (2, 99, "classes")],
)
def test_numbers_that_the_text_does_not_have_are_refused(words, classes, message):
    with pytest.raises(SeqexpError, match=message):
        words_and_classes(SENTENCES, words, classes)
