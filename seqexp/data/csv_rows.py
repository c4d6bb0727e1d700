"""Tables in text files: rows by column name, with the line that each begins at."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import NamedTuple

from seqexp.data.text_files import fail, read_text
from seqexp.types import SeqexpError

LONGEST_FIELD = 2**31 - 1


class Row(NamedTuple):
    """A row of a table.

    Attributes:
        line: where it ends in the file, counted from 1.
        cells: what it says, by column.
    """

    line: int
    cells: dict[str, str]


class Table(NamedTuple):
    """A table whose first line names its columns.

    Attributes:
        columns: their names, in order.
        rows: in order; blank lines are none.
    """

    columns: tuple[str, ...]
    rows: tuple[Row, ...]


def read_table(path: Path, delimiter: str = ",") -> Table:
    """A CSV file in UTF-8: fields may be quoted, lines may end in LF or CRLF (RFC 4180).

    Raises:
        SeqexpError: the file is missing, empty or no UTF-8, names a column twice or not at all, a
            row has more or fewer fields than the first line, or a blank line stands between rows of
            one column, where it may be a missing value: with its line number.
    """
    if len(delimiter) != 1:
        raise SeqexpError(f"the delimiter must be one character, not {delimiter!r}")
    if not path.is_file():
        raise SeqexpError(f"{path} is not there, or is no file: correct the path")
    found = read_fields(path, delimiter)
    if not found:
        raise SeqexpError(f"{path} is empty: its first line must name the columns")
    names = found[0].fields
    columns = tuple(name.strip() for name in names)
    if not all(columns) or len(set(columns)) < len(columns):
        raise SeqexpError(
            f"{path}, line 1: each column needs a name of its own, not {', '.join(names)}"
        )
    rows: list[Row] = []
    for _, line, fields in found[1:]:
        last = rows[-1].line if rows else 1
        if len(columns) == 1 and line != last + 1:
            raise SeqexpError(
                f"{path}, line {last + 1} is blank: write NaN for a missing value, or delete it"
            )
        if len(fields) != len(columns):
            raise SeqexpError(
                f"{path}, line {line}: {len(fields)} fields where the first line names "
                f"{len(columns)} columns"
            )
        rows.append(Row(line, dict(zip(columns, fields, strict=True))))
    return Table(columns, tuple(rows))


def require_columns(path: Path, table: Table, wanted: tuple[str, ...]) -> None:
    """Raises SeqexpError, naming the columns there are, where a wanted one is missing."""
    for name in wanted:
        if name not in table.columns:
            raise SeqexpError(
                f"{path} has no column {name!r}: choose among {', '.join(table.columns)}"
            )


class Fields(NamedTuple):
    """What a row of a CSV file says.

    Attributes:
        first: the line that it begins in, counted from 1.
        last: the line that it ends in: a quoted field may hold line breaks.
        fields: from the left to the right.
    """

    first: int
    last: int
    fields: list[str]


def read_fields(path: str | Path, delimiter: str = ",") -> list[Fields]:
    """The rows of a CSV file but for empty lines, as the library `csv` reads them with strict
    quotes, from text as `read_text` gives it.

    Raises:
        SeqexpError: the file can't be read or is no UTF-8, or a quote does not close or text
            follows it; names the line that the row begins in.
    """
    text = io.StringIO(read_text(path), newline="")
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    rows, line = [], 1
    before = csv.field_size_limit(LONGEST_FIELD)
    try:
        for row in reader:
            if row and row != [""]:
                rows.append(Fields(line, reader.line_num, row))
            line = reader.line_num + 1
    except csv.Error as error:
        fail(path, line, f"{error}; check the quotes of the row that begins here")
    finally:
        csv.field_size_limit(before)
    return rows
