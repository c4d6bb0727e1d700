"""CoNLL-U: words with their tags, and a wrong line is named."""

import os
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from seqexp.data.conllu import UPOS, read_conllu
from seqexp.types import SeqexpError

FOLDER = Path(os.environ.get("SEQEXP_DATA_DIR", "unset")) / "ud_ewt"


def row(number: object, form: str, tag: str = "_") -> str:
    return f"{number}\t{form}\t_\t{tag}" + 6 * "\t_"


SENTENCE = [row(1, "I", "PRON"), row("2-3", "don't"), row(2, "do", "AUX"), row(3, "n't", "PART")]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("conllu") / "text.conllu"


def test_lines_that_are_no_words_are_skipped(path):
    path.write_text(
        "\n".join(
            ["# sent_id = 1", *SENTENCE, row("3.1", "know"), "", "", "# next", row(1, "#", "SYM")]
        )
    )
    assert read_conllu(path) == (
        (("I", "do", "n't"), ("PRON", "AUX", "PART"), f"{path}, line 1"),
        (("#",), ("SYM",), f"{path}, line 9"),
    )


FORM = st.text(st.characters(codec="utf-8", exclude_characters="\0\n\r\t"), min_size=1, max_size=5)
WORDS = st.lists(st.tuples(FORM.filter(str.strip), st.sampled_from(UPOS)), min_size=1, max_size=4)


@settings(deadline=None, derandomize=True, max_examples=40)
@given(st.lists(WORDS, min_size=1, max_size=3), st.sampled_from(["\n", "\r\n"]), st.booleans())
@example([[('"', "PUNCT"), ("New\xa0York\x85\u2028", "PROPN")]], "\r\n", False)
def test_any_words_come_back(path, sentences, end, ended):
    lines = []
    for words in sentences:
        lines += [row(n, form, tag) for n, (form, tag) in enumerate(words, 1)] + [""]
    path.write_bytes((end.join(lines if ended else lines[:-1]) + end * ended).encode())
    found = [list(zip(text, label or (), strict=True)) for text, label, _ in read_conllu(path)]
    assert found == sentences


MALFORMED = {
    "empty": ([], "text.conllu holds no examples"),
    "empty lines": (["", "", ""], "text.conllu holds no examples"),
    "spaces for tabs": ([SENTENCE[0].replace("\t", " ")], "line 1: tabs separate 1 of 10 columns"),
    "a tab too many": ([*SENTENCE, row(4, "a\tb", "X")], "line 5: tabs separate 11 of 10"),
    "a word is missing": ([*SENTENCE, row(5, "know", "VERB")], "line 5: the id is '5', but word 4"),
    "no empty line": ([*SENTENCE, *SENTENCE], "line 5: the id is '1', but word 4"),
    "another id": ([row("1a", "x", "X")], "line 1: the id is '1a'"),
    "no tag": ([row(1, "x")], "line 1: the tag '_' is none of ADJ, "),
    "an empty form": ([row(1, "", "X")], "line 1: a token or a label is empty"),
    "no words": ([*SENTENCE, "", "# a comment", ""], "line 6: the text is empty"),
    "white space": ([*SENTENCE, " "], "line 5: tabs separate 1 of 10"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_lines_are_refused(path, name):
    lines, said = MALFORMED[name]
    path.write_text("\n".join(lines))
    with pytest.raises(SeqexpError, match=said):
        read_conllu(path)


def test_bytes_that_are_no_utf8_are_refused(path):
    path.write_bytes("\n".join(SENTENCE).encode() + b"\n\n# caf\xe9\n")
    with pytest.raises(SeqexpError, match="line 6: byte 0xe9 is not UTF-8"):
        read_conllu(path)


@pytest.mark.parametrize(("part", "count"), [("train", 12_544), ("dev", 2_001), ("test", 2_077)])
def test_the_english_web_treebank_has_its_published_counts(part, count):
    path = FOLDER / f"en_ewt-ud-{part}.conllu"
    if not path.is_file():
        pytest.skip(f"SEQEXP_DATA_DIR names no folder with ud_ewt/{path.name}")
    sentences = read_conllu(path)
    assert len(sentences) == count
    assert {tag for _, tags, _ in sentences for tag in tags or ()} == set(UPOS)
    # An independent count: lines whose id is an integer.
    ids = [line.partition(b"\t")[0] for line in path.read_bytes().split(b"\n")]
    assert sum(len(text) for text, _, _ in sentences) == sum(number.isdigit() for number in ids)
