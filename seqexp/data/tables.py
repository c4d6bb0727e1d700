"""Examples of text in tables of a user's own: comma- or tab-separated."""

from __future__ import annotations

from pathlib import Path

from seqexp.data.csv_rows import read_fields
from seqexp.data.text_examples import Columns, TextExample, some, text_example, token_example
from seqexp.data.text_files import fail, read_lines
from seqexp.data.text_units import whitespace_tokens


def read_tsv(path: str | Path, columns: Columns) -> tuple[TextExample, ...]:
    """The rows of a tab-separated table: no quoting, so that a quote is a character like any other.

    A field holds neither a tab nor a line break. Empty lines are skipped; `read_text` says what
    becomes of a byte order mark and of `\\r\\n`.

    Raises:
        SeqexpError: a row has another number of fields than the first (a tab in a text makes one
            more), a text or label is empty, the number of labels is wrong, there is no such column,
            there are no rows, or the file is no UTF-8 text; names the line.
    """
    rows = [(line, text.split("\t")) for line, text in read_lines(path) if text]
    return _examples_of_rows(path, rows, columns, "tab")


def read_csv(path: str | Path, columns: Columns) -> tuple[TextExample, ...]:
    """The rows of a comma-separated table, as the library `csv` reads them with strict quotes.

    A field in double quotes may hold commas, line breaks, and quotes that are doubled; outside of
    them a lone `\\r` ends a row, too. Empty lines are skipped. RFC 4180, https://www.rfc-editor.org/rfc/rfc4180.

    Raises:
        SeqexpError: a quote that does not close or that text follows, and what `read_tsv` raises;
            names the line that the row begins in.
    """
    rows = [(row.first, row.fields) for row in read_fields(path)]
    return _examples_of_rows(path, rows, columns, "comma")


def _examples_of_rows(
    path: str | Path, rows: list[tuple[int, list[str]]], columns: Columns, separator: str
) -> tuple[TextExample, ...]:
    if not rows:
        return some(path, [])
    line, first = rows[0]
    first = [name.strip() for name in first]
    text = _place(path, line, first, columns.text)
    label = None if columns.label is None else _place(path, line, first, columns.label)
    if text == label:
        fail(path, line, f"text and label are both in column {text}: name two columns")
    examples = []
    for line, row in rows[1:] if columns.header else rows:
        if len(row) != len(first):
            fail(
                path,
                line,
                f"{len(row)} column{'s' * (len(row) != 1)}, but the first row has {len(first)}; is "
                f"there a {separator} too many or too few?",
            )
        of_label = None if label is None else row[label]
        place = f"{path}, line {line}"
        if columns.label_per_token:
            labels = tuple(whitespace_tokens(of_label or ""))
            examples.append(token_example(row[text], labels, place))
        else:
            examples.append(text_example(row[text], of_label, place))
    return some(path, examples)


def _place(path: str | Path, line: int, first: list[str], column: str | int) -> int:
    if isinstance(column, int):
        if column >= len(first):
            fail(path, line, f"no column {column}: there are {len(first)}, numbered from 0")
        return column
    if first.count(column) != 1:
        found = "no" if column not in first else "more than one"
        fail(path, line, f"{found} column {column!r} in the header {first}")
    return first.index(column)
