"""Pretrained vectors: each symbol gets its own, and a wrong line is named."""

import gzip

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqexp.data.vectors import Symbols, read_vectors
from seqexp.data.vocabulary import word_vocabulary
from seqexp.data.word_classes import WordsAndClasses
from seqexp.types import SeqexpError

VOCABULARY = word_vocabulary(["the cat , New\xa0York"], answers=True)
GLOVE = b"cat 0.5 -1 2e-1\nthe 1 2 3\ndog 7 8 9\n"


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("vectors") / "vectors.txt"


def rows(path, vocabulary: Symbols = VOCABULARY) -> dict[str, list[float]]:
    """The vectors by symbol, of those that have one."""
    vectors = read_vectors(path, vocabulary)
    found = zip(vocabulary.symbols, vectors.known, vectors.values.tolist(), strict=True)
    return {symbol: row for symbol, known, row in found if known}


def test_symbols_get_their_vectors_and_others_none(path):
    path.write_bytes(GLOVE)
    vectors = read_vectors(path, VOCABULARY)
    expected = np.full((7, 3), np.nan, np.float32)
    expected[3], expected[4] = [1, 2, 3], [0.5, -1, 0.2]
    np.testing.assert_array_equal(vectors.values, expected)
    assert vectors.values.dtype == np.float32
    np.testing.assert_array_equal(vectors.known, [False] * 3 + [True] * 2 + [False] * 2)


def test_classes_of_rare_words_are_special(path):
    path.write_bytes(b"cat 1 2\n<a> 3 4\n")
    assert rows(path, WordsAndClasses(("the", "cat"), ("<unk>", "<a>"))) == {
        "cat": [1, 2],
        "<a>": [3, 4],
    }
    with pytest.raises(SeqexpError, match="none of the 1 symbols"):
        read_vectors(path, WordsAndClasses(("the",), ("<unk>", "<a>")))


@pytest.mark.parametrize(
    "content",
    [
        b"3 3\n" + GLOVE,
        GLOVE.replace(b"\n", b" \n"),
        GLOVE.replace(b"\n", b"\r\n"),
        GLOVE.removesuffix(b"\n"),
        b"\xef\xbb\xbf" + GLOVE,
        GLOVE + b"the 4 5 6\n",
        GLOVE + b"a word of many 4 5 6\n",
        GLOVE + b"caf\xe9 4 5 6\n",
    ],
    ids="header spaces CRLF unended BOM twice spaced latin".split(),
)
def test_variants_of_the_format_give_the_same(path, content):
    path.write_bytes(GLOVE)
    plain = rows(path)
    path.write_bytes(content)
    assert rows(path) == plain


def test_symbols_are_of_any_characters(path):
    path.write_bytes("New\xa0York 1 2\n</s> 3 4\n\x85 5 6\n<unk> 7 8\n".encode())
    found = rows(path)
    assert found["New\xa0York"] == [1, 2]
    assert found["</s>"] == [3, 4] and found["<unk>"] == [7, 8] and "the" not in found


def test_archives_are_decompressed_and_broken_ones_refused(path):
    packed = path.with_suffix(".gz")
    packed.write_bytes(gzip.compress(GLOVE))
    path.write_bytes(GLOVE)
    assert rows(packed) == rows(path)
    packed.write_bytes(gzip.compress(GLOVE)[:-4])
    with pytest.raises(SeqexpError, match="vectors.gz is no whole gzip archive"):
        rows(packed)
    with pytest.raises(SeqexpError, match="absent can't be read"):
        rows(path.parent / "absent")


MALFORMED = {
    "empty": (b"", "line 1: a word and its numbers must stand here"),
    "a word alone": (b"the\n", "line 1: a word and its numbers"),
    "no numbers in the first": (b"a b c\nthe 1 2\n", "line 1: 'b' stands where a finite number"),
    "too few": (b"a 1 2\nthe 1\n", "line 2: 1 number behind the word, not 2"),
    "too many": (b"a 1 2\nthe 1 2 3\n", "line 2: 3 numbers behind the word, not 2"),
    "an empty line": (b"a 1 2\n\nthe 1 2\n", "line 2: 0 numbers"),
    "no number": (b"a 1 2\nthe 1 x\n", "line 2: 'x' stands where a finite number must"),
    "not finite": (b"a 1 2\nthe 1 nan\n", "line 2: 'nan' stands where"),
    "beyond float32": (b"a 1 2\nthe 1 1e39\n", "line 2: '1e39' stands where"),
    "underscores": (b"a 1 2\nthe 1 1_0\n", "line 2: '1_0' stands where"),
    "cut behind the header": (b"3 2\na 1 2\nthe 1 2\n", "line 1: the header says 3 words, but 2"),
    "another size": (b"1 3\nthe 1 2\n", "line 2: 2 numbers behind the word, not 3"),
    "a header alone": (b"1 3\n", "line 2: 0 numbers behind"),
    "none of the words": (b"a 1 2\n", "has none of the 4 symbols of the vocabulary"),
    "special symbols alone": (b"<s> 1 2\n", "has none of the 4 symbols"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_files_are_refused(path, name):
    content, said = MALFORMED[name]
    path.write_bytes(content)
    with pytest.raises(SeqexpError, match=said):
        read_vectors(path, VOCABULARY)


WORD = st.text(st.characters(codec="utf-8", exclude_characters="\0\n\r \ufeff\v\f\t"), min_size=1)
NUMBER = st.floats(width=32, allow_nan=False, allow_infinity=False)


@settings(deadline=None, derandomize=True, max_examples=40)
@given(st.data(), st.integers(1, 4), st.booleans())
def test_any_vectors_come_back(path, data, D, header):
    words = data.draw(st.lists(WORD, min_size=1, max_size=5, unique=True))
    if D == 1 and not header:
        words[0] += "."  # else two integers would be taken for a header
    vectors = data.draw(st.lists(st.lists(NUMBER, min_size=D, max_size=D), min_size=len(words)))
    given_lines = [
        " ".join([word, *map(repr, vector)]) for word, vector in zip(words, vectors, strict=False)
    ]
    lines = [f"{len(words)} {D}"] * header + given_lines
    path.write_bytes("\n".join(lines).encode())
    vocabulary = word_vocabulary([words])
    found = rows(path, vocabulary)
    for word, vector in zip(words, vectors, strict=False):
        if word != "<unk>":
            np.testing.assert_array_equal(found[word], np.float32(vector))
