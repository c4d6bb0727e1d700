"""Series in CSV files: a step a line, a feature a column."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from seqexp.data.csv_rows import Table, read_table, require_columns
from seqexp.types import SeqexpError

MISSING = {"", "nan", "na"}
"""What a missing value may be written as, in any case of letters."""


class Series(NamedTuple):
    """A series of several features.

    Attributes:
        names: of the D features.
        values: `[T, D]` float64, NaN where one is missing; T at least 1.
        times: `[T]`, datetime64 in microseconds (UTC where zones are given) or float64, ascending;
            None where no column says them.
    """

    names: tuple[str, ...]
    values: np.ndarray
    times: np.ndarray | None

    @property
    def mask(self) -> np.ndarray:
        """`[T, D]`, True where there is a value."""
        return ~np.isnan(self.values)


def read_series(
    path: Path | str,
    columns: Sequence[str] | None = None,
    time: str | None = None,
    delimiter: str = ",",
) -> Series:
    """A CSV file whose first line names the columns.

    Empty cells, NaN and NA are missing values. Numbers have a decimal point.

    Args:
        path: of the file.
        columns: the features, in this order; None for all but `time`.
        time: the column of times, in ISO 8601 or numbers; None for none.
        delimiter: between fields.

    Raises:
        SeqexpError: the file is missing or malformed, has no such column or no rows, a cell is no
            finite number, or times don't ascend: with its line and column.
    """
    path = Path(path)
    table = read_table(path, delimiter)
    if columns is None:
        columns = [name for name in table.columns if name != time]
    require_columns(path, table, (*columns, *([] if time is None else [time])))
    if not columns or len(set(columns)) < len(columns):
        raise SeqexpError(f"name one or more columns of {path}, each once, not {list(columns)}")
    if time in columns:
        raise SeqexpError(f"{time!r} of {path} is the column of times, so it is no feature")
    if not table.rows:
        raise SeqexpError(f"{path} has no rows: it only names columns")
    values = [
        [_number(row.cells[name], path, row.line, name) for name in columns] for row in table.rows
    ]
    times = None if time is None else _times(path, table, time)
    return Series(tuple(columns), np.array(values, np.float64), times)


def _number(cell: str, path: Path, line: int, name: str) -> float:
    if cell.strip().lower() in MISSING:
        return math.nan
    value = _finite(cell)
    if value is None:
        raise SeqexpError(
            f"{path}, line {line}, column {name!r}: {cell!r} is no finite number; leave a missing "
            "one empty; a column of times is one to name as such"
        )
    return value


def _finite(cell: str) -> float | None:
    """A number; None for whatever is none, Python's 1_000 among it."""
    try:
        value = math.nan if "_" in cell else float(cell)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _times(path: Path, table: Table, name: str) -> np.ndarray:
    cells = [row.cells[name].strip() for row in table.rows]
    numbers = [_finite(cell) for cell in cells]
    numeric = numbers[0] is not None
    times = numbers if numeric else [_moment(cell) for cell in cells]
    for row, cell, moment in zip(table.rows, cells, times, strict=True):
        if moment is None:
            kind = "number" if numeric else "time in ISO 8601, such as 2016-07-01 00:00:00"
            raise SeqexpError(f"{path}, line {row.line}, column {name!r}: {cell!r} is no {kind}")
    found = np.array(times, np.float64 if numeric else "datetime64[us]")
    for (before, after), row in zip(pairwise(found), table.rows[1:], strict=True):
        if after <= before:
            raise SeqexpError(
                f"{path}, line {row.line}, column {name!r}: times must ascend; sort the rows, or "
                "name no column of times"
            )
    return found


def _moment(cell: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(cell)
    except ValueError:
        return None
    return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)
