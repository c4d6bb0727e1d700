"""Tables in text files: rows by column name, with the line that each begins at."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from seqexp.types import SeqexpError


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
    numbered = _rows(path, delimiter)
    _, names = next(numbered, (0, []))
    if not names:
        raise SeqexpError(f"{path} is empty: its first line must name the columns")
    columns = tuple(name.strip() for name in names)
    if not all(columns) or len(set(columns)) < len(columns):
        raise SeqexpError(
            f"{path}, line 1: each column needs a name of its own, not {', '.join(names)}"
        )
    rows: list[Row] = []
    for line, fields in numbered:
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


def _rows(path: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    with path.open("rb") as file:
        lines = file.read().split(b"\n")
    line = 0

    def decoded() -> Iterator[str]:
        nonlocal line
        for line, raw in enumerate(lines, 1):
            text = raw.decode("utf-8-sig" if line == 1 else "utf-8")
            yield text.removesuffix("\r") + "\n"

    try:
        for fields in csv.reader(decoded(), delimiter=delimiter, strict=True):
            if fields and fields != [""]:
                yield line, fields
    except UnicodeDecodeError as error:
        raise SeqexpError(f"{path}, line {line} is not UTF-8: save it as UTF-8") from error
    except csv.Error as error:
        raise SeqexpError(f"{path}, line {line}: {error}") from error
