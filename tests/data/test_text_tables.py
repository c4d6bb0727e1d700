"""Tables and JSON lines of a user's own: whole fields or an error that names the line."""

import csv
import io
import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from seqexp.data.json_lines import read_json_lines
from seqexp.data.tables import read_csv, read_tsv
from seqexp.data.text_examples import Columns, TextExample
from seqexp.types import SeqexpError

few = settings(deadline=None, derandomize=True, max_examples=60)
NAMED = Columns("text", "label")
NUMBERED = Columns(1, 0, header=False)
TAGS = Columns("text", "label", label_per_token=True)


def fields(*without: str):
    """Not blank, of any characters but NUL and these; no byte order mark, which may come first."""
    characters = st.characters(codec="utf-8", exclude_characters=("\0", "\ufeff", *without))
    return st.text(characters, min_size=1, max_size=12).filter(str.strip)


def rows(*without: str):
    return st.lists(st.tuples(fields(*without), fields(*without)), min_size=1, max_size=4)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("tables") / "table"


def pairs(examples: tuple[TextExample, ...]) -> list:
    return [(example.text, example.label) for example in examples]


@few
@given(rows("\t", "\n", "\r"), st.sampled_from(["\n", "\r\n"]))
@example([('say "hi"', "it's"), ("\x85 a", "\u2028.")], "\n")
def test_tsv_fields_are_what_stands_between_tabs(path, rows, end):
    written = ["text\tlabel", *map("\t".join, rows)]
    path.write_bytes(end.join(written).encode())
    examples = read_tsv(path, NAMED)
    stripped = [(text, label.strip()) for text, label in rows]
    assert pairs(examples) == stripped
    assert [example.place for example in examples] == [
        f"{path}, line {line}" for line in range(2, len(rows) + 2)
    ]
    path.write_bytes((end.join(written[1:]) + end).encode())
    assert pairs(read_tsv(path, Columns(0, 1, header=False))) == stripped
    assert pairs(read_tsv(path, NUMBERED)) == [(b, a.strip()) for a, b in rows]


@few
@given(rows(), st.sampled_from(["\n", "\r\n"]), st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
@example([('say "hi", he\n\nsaid', "a\r\nb"), ("\tc", "x")], "\n", csv.QUOTE_MINIMAL)
def test_csv_fields_hold_quotes_commas_and_line_breaks(path, rows, end, quoting):
    """Written by the library; `\\r\\n` inside of a field becomes `\\n`, as everywhere."""
    written = io.StringIO(newline="")
    csv.writer(written, lineterminator=end, quoting=quoting).writerows([("text", "label"), *rows])
    path.write_bytes(written.getvalue().encode())
    kept = [tuple(field.replace("\r\n", "\n") for field in row) for row in rows]
    examples = read_csv(path, NAMED)
    assert pairs(examples) == [(text, label.strip()) for text, label in kept]
    line = 2
    for row, found in zip(kept, examples, strict=True):
        # A lone carriage return is a line break to the library.
        assert found.place == f"{path}, line {line}" or "\r" in written.getvalue()
        line += 1 + sum(field.count("\n") for field in row)


@few
@given(rows(), st.booleans())
@example([("\u2028\x85\x1c.", "\r\n.")], False)
def test_json_lines_hold_any_string(path, rows, ascii):
    written = [json.dumps({"label": b, "x": 1, "text": a}, ensure_ascii=ascii) for a, b in rows]
    path.write_text("\n\n".join(written) + "\n", "utf-8", newline="")
    examples = read_json_lines(path, NAMED)
    assert pairs(examples) == [(text, label.strip()) for text, label in rows]
    assert examples[-1].place == f"{path}, line {2 * len(rows) - 1}"


TOKENS = st.lists(fields(" ", "\t", "\n", "\r", "\x0b", "\f", ",", '"'), min_size=1, max_size=4)


@few
@given(st.lists(TOKENS, min_size=1, max_size=3))
@example([["one"]])
def test_a_label_a_token(path, sentences):
    rows = [(tuple(tokens), tuple(token[::-1].strip() for token in tokens)) for tokens in sentences]
    for reader, separator in ((read_tsv, "\t"), (read_csv, ",")):
        written = [separator.join((" ".join(a), "  ".join(b))) for a, b in rows]
        path.write_text("\n".join(["text" + separator + "label", *written]), "utf-8", newline="")
        assert pairs(reader(path, TAGS)) == rows
    for form in (list, " ".join):
        records = [json.dumps({"text": form(a), "label": form(b)}) for a, b in rows]
        path.write_text("\n".join(records), "utf-8")
        assert pairs(read_json_lines(path, TAGS)) == rows


def test_texts_without_labels_and_without_a_header(path):
    path.write_text("one\n\ntwo, three\n")
    assert pairs(read_tsv(path, Columns(0, header=False))) == [("one", None), ("two, three", None)]
    path.write_text('{"text": "one"}\n{"text": ["two", "three"]}\n')
    assert pairs(read_json_lines(path, Columns("text"))) == [
        ("one", None),
        (("two", "three"), None),
    ]


def test_white_space_around_labels_and_names_is_dropped(path):
    path.write_text("text, label\n a,x\nb, x\n")
    assert pairs(read_csv(path, NAMED)) == [(" a", "x"), ("b", "x")]
    path.write_text('{"text": "a b", "label": [" X", "Y"]}')
    assert pairs(read_json_lines(path, TAGS)) == [(("a", "b"), ("X", "Y"))]


def test_columns_by_number_skip_the_header(path):
    path.write_text("a,b,c\n1,2,3\n")
    assert pairs(read_csv(path, Columns(2, "a"))) == [("3", "1")]


def test_labels_of_json_may_be_integers(path):
    path.write_text('{"text": "x y", "label": 3}\n{"text": ["a"], "label": "3"}\n')
    assert pairs(read_json_lines(path, NAMED)) == [("x y", "3"), (("a",), "3")]
    path.write_text('{"text": "x y", "label": [0, -1]}\n')
    assert pairs(read_json_lines(path, TAGS)) == [(("x", "y"), ("0", "-1"))]


def test_a_long_field_is_read_and_the_limit_of_the_library_stays(path):
    before = csv.field_size_limit()
    path.write_text("text,label\n" + "a" * (before + 1) + ",x\n")
    assert len(read_csv(path, NAMED)[0].text) == before + 1
    assert csv.field_size_limit() == before


MALFORMED = {
    "too few columns": ("a\tb\nc", "line 2: 1 column, but the first row has 2; is there a tab too"),
    "a tab in a field": ("a\tb\nc\td\te", "line 2: 3 columns, but the first row has 2"),
    "an empty text": ("a\tb\nc\t", r"line 2: the text is empty; remove it"),
    "a blank text": ("a\t \xa0", r"line 1: the text is empty"),
    "an empty label": ("\tb", "line 1: the label is empty"),
    "no column": ("a\nb", "line 1: no column 1: there are 1, numbered from 0"),
    "no rows": ("", "table holds no examples"),
    "empty lines alone": ("\n\n\n", "table holds no examples"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_tsv_is_refused(path, name):
    content, said = MALFORMED[name]
    path.write_text(content, "utf-8")
    with pytest.raises(SeqexpError, match=said):
        read_tsv(path, NUMBERED)
    path.write_text(content.replace("\t", ","), "utf-8")
    with pytest.raises(SeqexpError, match=said.replace(" tab ", " comma ")):
        read_csv(path, NUMBERED)


@pytest.mark.parametrize("reader", [read_tsv, read_csv, read_json_lines])
def test_what_is_no_text_is_refused_by_line(path, reader):
    for wrong, said in ((b"\xe9", "byte 0xe9 is not UTF-8"), (b"\0", "a NUL byte")):
        path.write_bytes(b"text\tlabel\na" + wrong + b"\tb\n")
        with pytest.raises(SeqexpError, match=f"line 2: {said}"):
            reader(path, NAMED)


QUOTES = {
    "never closed": ('a,b\nx,y\n"c,d\ne,f\n', "line 3: .*check the quotes of the row that begins"),
    "text behind": ('a,b\n"c"d,e\n', "line 2: .*check the quotes"),
    "behind line breaks": ('a,"b\n\n\n"\nc,"d', "line 5: .*check the quotes"),
}


@pytest.mark.parametrize("name", QUOTES)
def test_unbalanced_quotes_are_refused(path, name):
    content, said = QUOTES[name]
    path.write_text(content)
    before = csv.field_size_limit()
    with pytest.raises(SeqexpError, match=said):
        read_csv(path, NUMBERED)
    assert csv.field_size_limit() == before


HEADERS = {
    "another": ("texts\tlabel\n", r"line 1: no column 'text' in the header \['texts', 'label'\]"),
    "twice": ("text\ttext\tlabel\n", "line 1: more than one column 'text'"),
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_header_without_the_columns_is_refused(path, name):
    content, said = HEADERS[name]
    path.write_text(content)
    with pytest.raises(SeqexpError, match=said):
        read_tsv(path, NAMED)


def test_a_header_alone_holds_no_examples(path):
    path.write_text("text\tlabel\n")
    with pytest.raises(SeqexpError, match="table holds no examples"):
        read_tsv(path, NAMED)


def test_one_column_by_name_and_number_is_refused(path):
    path.write_text("text\tlabel\na\tb\n")
    with pytest.raises(SeqexpError, match="text and label are both in column 0"):
        read_tsv(path, Columns("text", 0))


def test_another_number_of_labels_than_tokens_is_refused(path):
    path.write_text("text\tlabel\nthe cat\tDET\n")
    with pytest.raises(SeqexpError, match="line 2: 2 tokens, but 1 label; give each token one"):
        read_tsv(path, TAGS)
    path.write_text('{"text": ["a"], "label": ["X", "Y"]}')
    with pytest.raises(SeqexpError, match="line 1: 1 token, but 2 labels"):
        read_json_lines(path, TAGS)


JSON = {
    "cut": ('{"text": "a"', "line 2: no valid JSON"),
    "no object": ('["a", "b"]', "line 2: valid JSON, but no object"),
    "a key twice": ('{"text": "a", "text": "b", "label": "c"}', "line 2: a key stands twice"),
    "deep": ("[" * 100_000, "line 2: no valid JSON"),
    "a long integer": ('{"text": ' + "1" * 5_000 + "}", "line 2: no valid JSON"),
    "no label": ('{"text": "a"}', "line 2: no key 'label', but 'text'"),
    "null": ('{"text": null, "label": "b"}', "line 2: the text is null, but must be a string"),
    "a number": ('{"text": 1, "label": "b"}', "line 2: the text is 1, but"),
    "a float label": ('{"text": "a", "label": 1.0}', "line 2: the label is 1.0, but"),
    "a boolean label": ('{"text": "a", "label": true}', "line 2: the label is true, but"),
    "an empty text": ('{"text": " ", "label": "b"}', "line 2: the text is empty"),
    "no tokens": ('{"text": [], "label": "b"}', "line 2: the text is empty"),
    "an empty token": ('{"text": ["a", ""], "label": "b"}', "line 2: a token or a label is empty"),
    "an empty label": ('{"text": ["a"], "label": ""}', "line 2: the label is empty"),
    "half a pair": ('{"text": "\\ud800", "label": "b"}', "line 2: the text has a NUL or a lone"),
    "nul": ('{"text": "a\\u0000", "label": "b"}', "line 2: the text has a NUL or a lone"),
}


@pytest.mark.parametrize("name", JSON)
def test_malformed_json_lines_are_refused(path, name):
    content, said = JSON[name]
    path.write_text('{"text": "x", "label": "y"}\n' + content)
    with pytest.raises(SeqexpError, match=said):
        read_json_lines(path, NAMED)


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (lambda: Columns("text", header=False), "'text' has a name, but there is no header"),
        (lambda: Columns(-1), "a column is a name or a number from 0, not -1"),
        (lambda: Columns(True), "not True"),
        (lambda: Columns(1, 1), "text and label are both in column 1"),
        (lambda: Columns(1, label_per_token=True), "labels per token need a label column"),
        (lambda: read_json_lines("never read", Columns(0)), "JSON lines have keys"),
    ],
)
def test_columns_that_make_no_sense_are_refused(columns, said):
    with pytest.raises(SeqexpError, match=said):
        columns()
