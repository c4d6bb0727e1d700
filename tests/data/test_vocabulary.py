"""Vocabularies: what comes back, what is unknown, and an order that anyone can count out."""

import sys
from collections import Counter

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from seqexp.data.text_units import BytePairs, Words
from seqexp.data.vocabulary import (
    Vocabulary,
    byte_pair_vocabulary,
    character_vocabulary,
    word_vocabulary,
)
from seqexp.types import SeqexpError

few = settings(deadline=None, derandomize=True, max_examples=60)
TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
CORPUS = ["low low low low low", "lower lower newest newest", "newest newest\nwidest", "é 猫 é"]


@pytest.fixture(scope="module")
def byte_pairs() -> Vocabulary:
    pytest.importorskip("tokenizers")
    return byte_pair_vocabulary(CORPUS, max_size=280, answers=True)


@few
@given(st.lists(TEXT, min_size=1, max_size=3).filter(any))
@example(["", "\r\n\x00\u2028 "])
def test_characters_of_the_training_text_come_back(texts):
    vocabulary = character_vocabulary(texts)
    assert vocabulary.size == len(set("".join(texts))) + 1
    for text in texts:
        tokens = vocabulary.encode(text)
        assert tokens.dtype == np.int32 and tokens.shape == (len(text),)
        assert vocabulary.unknown not in tokens
        assert vocabulary.decode(tokens) == text


@few
@given(TEXT)
@example("")
@example("<s> </s> <unk> 🙂\r\n\t")
def test_byte_pairs_of_any_text_come_back(byte_pairs, text):
    tokens = byte_pairs.encode(text)
    assert tokens.dtype == np.int32
    assert byte_pairs.decode(tokens) == text
    assert not np.isin([byte_pairs.start, byte_pairs.end], tokens).any()


@few
@given(st.lists(st.lists(TEXT.filter(str.split), max_size=4), max_size=3).filter(any))
def test_tokens_come_back(sentences):
    vocabulary = word_vocabulary(sentences, answers=False)
    for sentence in sentences:
        tokens = vocabulary.encode(sentence)
        assert [vocabulary.symbols[token] for token in tokens] == sentence
        assert vocabulary.decode(tokens) == " ".join(sentence)


@few
@given(st.lists(st.text("ab c\t\n\xa0", max_size=8), min_size=1, max_size=4))
@example(["a\xa0b a\xa0b"])
def test_words_are_counted_and_ties_go_by_the_order_of_the_text(texts):
    words = [
        word for text in texts for word in text.translate({9: " ", 10: " "}).split(" ") if word
    ]
    if not words:
        with pytest.raises(SeqexpError, match="nothing that occurs min_count=1 times or more"):
            word_vocabulary(texts)
        return
    by_rule = sorted(set(words), key=lambda word: (-words.count(word), words.index(word)))
    assert word_vocabulary(texts).symbols == ("<unk>", *by_rule)
    assert word_vocabulary(texts, max_size=2).symbols == ("<unk>", by_rule[0])
    often = [word for word in by_rule if words.count(word) >= 2]
    if often:
        vocabulary = word_vocabulary(texts, min_count=2)
        assert vocabulary.symbols == ("<unk>", *often)
        for text in texts:
            known = [vocabulary.symbols[token] for token in vocabulary.encode(text)]
            own = [w for w in text.translate({9: " ", 10: " "}).split(" ") if w]
            assert known == [w if w in often else "<unk>" for w in own]


def test_the_splitters():
    text = "Don't say:\x85 1\xa0000 naïve猫 snake_case… "
    assert Words("whitespace").split(text) == [
        "Don't", "say:\x85", "1\xa0000", "naïve猫", "snake_case…",
    ]  # fmt: skip
    assert Words("punctuation", lower=True).split(text) == [
        "don", "'", "t", "say", ":", "1", "000", "naïve猫", "snake_case", "…",
    ]  # fmt: skip
    assert Words("lines").split("Don't—well-known 'tis\n\n½") == [
        "Don't", "—", "well-known", "'", "tis", "\n", "\n", "½",
    ]  # fmt: skip
    assert Words("punctuation", lower=True).split("İs") == ["i̇s"], "lower-cased after the split"
    with pytest.raises(SeqexpError, match="whitespace, punctuation, lines, not 'spaces'"):
        Words("spaces")  # type: ignore[arg-type]


@few
@given(TEXT)
def test_every_character_is_of_a_word_or_white_space(text):
    assert "".join(Words("punctuation").split(text)) == "".join(text.split())


def test_lower_case_is_of_the_encoded_text_too():
    vocabulary = word_vocabulary(["The CAT"], lower=True)
    assert vocabulary.symbols == ("<unk>", "the", "cat")
    assert vocabulary.encode("the Cat").tolist() == vocabulary.encode(["THE", "cat"]).tolist()
    assert character_vocabulary(["aA"], lower=True).size == 2
    pytest.importorskip("tokenizers")
    lowered = byte_pair_vocabulary(["AB"], max_size=256, lower=True)
    assert lowered.decode(lowered.encode("ABc É")) == "abc é"


def test_symbols_of_answers():
    vocabulary = word_vocabulary(["a b"], answers=True)
    assert vocabulary.symbols == ("<unk>", "<s>", "</s>", "a", "b")
    assert (vocabulary.unknown, vocabulary.start, vocabulary.end) == (0, 1, 2)
    assert vocabulary.decode([1, 3, 0, 4, 2]) == "a <unk> b"
    without = word_vocabulary(["a b"])
    for ask in (lambda: without.start, lambda: without.end):
        with pytest.raises(SeqexpError, match="answers=True"):
            ask()


def test_words_written_like_special_symbols():
    """`<unk>` of a corpus is unknown; a mark of answers can't be told from the real one."""
    vocabulary = word_vocabulary(["<unk> <unk> a"])
    assert vocabulary.symbols == ("<unk>", "a")
    assert vocabulary.encode("<unk> a b").tolist() == [0, 1, 0]
    assert word_vocabulary(["<s> a </s>"]).symbols == ("<unk>", "<s>", "a", "</s>")
    with pytest.raises(SeqexpError, match="the text has the word </s>"):
        word_vocabulary(["a </s>"], answers=True)
    with pytest.raises(SeqexpError, match="the text has the word <s>"):
        word_vocabulary(["a"], answers=True).encode("a <s>")


def test_the_first_merges_are_those_of_the_most_frequent_pairs():
    """ "lo" and "ow" occur 7 times each, and l comes before o; then comes "low"."""
    pytest.importorskip("tokenizers")
    (units,) = [byte_pair_vocabulary(["low"] * 5 + ["lower"] * 2, max_size=258).units]
    assert isinstance(units, BytePairs)
    assert Counter(a + b for a, b in units.merges) == {"lo": 1, "low": 1}
    assert len(units.pieces) == 258 and units.pieces[256:] == ("lo", "low")


def test_byte_pairs_are_the_same_whenever_they_are_learned():
    pytest.importorskip("tokenizers")
    found = {byte_pair_vocabulary(CORPUS, max_size=300).sha256 for _ in range(3)}
    found.add(byte_pair_vocabulary(CORPUS[::-1], max_size=300).sha256)
    assert len(found) == 1


def test_byte_pairs_know_no_unknown_and_mend_broken_bytes(byte_pairs):
    assert byte_pairs.unknown is None and byte_pairs.special == ("<s>", "</s>")
    tokens = byte_pairs.encode("🙂")
    assert len(tokens) == 4
    assert byte_pairs.decode(tokens[:2]) == "\ufffd"


def test_byte_pairs_stop_where_no_pair_is_frequent_enough():
    pytest.importorskip("tokenizers")
    assert byte_pair_vocabulary(["ab"], max_size=300).size == 256
    assert byte_pair_vocabulary(["ab"], max_size=300, min_count=1).size == 257


def test_without_the_library_its_install_command_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(SeqexpError, match=r"pip install 'seqexp\[text\]'"):
        byte_pair_vocabulary(["a"], max_size=300)


def test_a_hash_is_of_all_that_decides_the_tokens():
    made = [
        word_vocabulary(["a b"]),
        word_vocabulary(["b a"]),
        word_vocabulary(["a b"], lower=True),
        word_vocabulary(["a b"], splitter="punctuation"),
        word_vocabulary(["a b"], answers=True),
        character_vocabulary(["ab"]),
    ]
    assert len({vocabulary.sha256 for vocabulary in made}) == len(made)
    assert word_vocabulary(["a b a"]).sha256 == made[0].sha256
    assert made[0].sha256.startswith("ddec9cad3515"), "runs that are recorded hang on it"


def test_tokens_out_of_range_are_refused():
    for wrong in ([-1], [0, 3], np.array([7])):
        with pytest.raises(SeqexpError, match="tokens go from 0 to 2, not"):
            word_vocabulary(["a b"]).decode(wrong)
    assert word_vocabulary(["a b"]).decode([]) == ""


def test_units_of_whole_texts_refuse_tokens(byte_pairs):
    for vocabulary in (byte_pairs, character_vocabulary(["ab"])):
        with pytest.raises(
            SeqexpError, match="are units of a whole text, not of tokens: use words"
        ):
            vocabulary.encode(["a", "b"])


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: word_vocabulary([]), "nothing that occurs min_count=1 times"),
        (lambda: word_vocabulary(["a"], min_count=2), "nothing that occurs min_count=2 times"),
        (lambda: word_vocabulary(["a"], min_count=0), "min_count .* at least 1, but is 0"),
        (lambda: word_vocabulary(["a"], max_size=1), "max_size .* at least 2, .* but is 1"),
        (lambda: character_vocabulary([""]), "nothing that occurs"),
        (lambda: byte_pair_vocabulary(["a"], max_size=257, answers=True), "at least 258"),
        (lambda: byte_pair_vocabulary([""], max_size=300), "there is none"),
    ],
)
def test_what_makes_no_vocabulary_is_refused(make, said):
    with pytest.raises(SeqexpError, match=said):
        make()
