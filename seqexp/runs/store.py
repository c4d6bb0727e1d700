"""JSON on disk that survives a crash: lines that are whole or absent, files that are old or new."""

from __future__ import annotations

import json
import math
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from seqexp.errors import SeqexpError

_BLOCK = 4096


class Damaged(SeqexpError):
    """A file that can't be read as what it should hold.

    Attributes:
        what: which file, and what is wrong with it.
    """

    def __init__(self, what: str, remedy: str = "delete it to run again") -> None:
        self.what = what
        super().__init__(f"{what}; {remedy}")


class Complaint(NamedTuple):
    """Why a line, counted from 1, holds no record."""

    line: int
    what: str


class Lines(NamedTuple):
    """A file of JSON lines, as far as it can be read.

    Attributes:
        lines: the whole ones, without their newlines.
        records: the object of each; None where it holds none.
        complaints: of each of those, in order, why not.
        torn: whether something stands behind the last newline.
    """

    lines: list[bytes]
    records: list[dict[str, Any] | None]
    complaints: list[Complaint]
    torn: bool


def append(path: Path, record: Mapping[str, Any]) -> None:
    """Add one record as one line, on the disk before this returns.

    A killed process thus loses nothing that was appended, and at worst leaves a torn last line,
    which the next append cuts off. NaN and infinities are written as null, and named in the
    record's list "nonfinite".
    """
    line = (dumps(record) + "\n").encode("utf-8")
    with open(path, "ab+") as file:
        _cut_torn_line(file)
        file.write(line)
        file.flush()
        os.fsync(file.fileno())


def read(path: Path) -> list[dict[str, Any]]:
    """All records of a file, without a torn last line; none where there is no file.

    Raises:
        Damaged: a line before the last is not a record (the file was damaged, not torn), or the
            file can't be read.
    """
    return [record for _, record in _whole(path)]


def parse_lines(data: bytes) -> Lines:
    """The records in the content of a file, whatever state it is in.

    What follows the last newline is a torn line, even if it happens to be whole JSON: one rule for
    the reader and for the appender.
    """
    *lines, rest = data.split(b"\n")
    try:
        # All at once takes a third of the time, and names are kept once in memory.
        values = json.loads(b"[" + b",".join(lines) + b"]")
        if len(values) == len(lines) and all(isinstance(value, dict) for value in values):
            return Lines(lines, values, [], bool(rest))
    except ValueError:
        pass
    records: list[dict[str, Any] | None] = []
    complaints = []
    for number, line in enumerate(lines, start=1):
        try:
            value, what = json.loads(line), "no JSON object"
        except ValueError as error:
            value, what = None, str(error)
        records.append(value if isinstance(value, dict) else None)
        if records[-1] is None:
            complaints.append(Complaint(number, what))
    return Lines(lines, records, complaints, bool(rest))


def truncate_after(path: Path, step: int) -> None:
    """Keep the records up to `step`, byte for byte; the others go, all at once or not at all.

    So does a torn last line; a file that is not there stays so.
    """
    if path.exists():
        kept = [line + b"\n" for line, record in _whole(path) if record["step"] <= step]
        write_atomic(path, b"".join(kept))


def write_json_atomic(path: Path, value: Mapping[str, Any], *, shared: bool = False) -> None:
    """Write a JSON file that a reader sees either as it was or as it is now, never half of it.

    NaN and infinities, however deep, become null, and "nonfinite" lists their paths ("a/b").

    Args:
        path: of the file.
        value: what it holds.
        shared: whether other processes may write it at the same time: the last one counts.
    """
    write_atomic(path, (dumps(value, indent=2) + "\n").encode("utf-8"), shared=shared)


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in a JSON file; None where there is no file.

    Raises:
        Damaged: the file holds no JSON object, or can't be read.
    """
    data = _bytes_of(path)
    if data is None:
        return None
    try:
        value = json.loads(data)
    except ValueError as error:
        raise Damaged(f"{path} is not JSON ({error})") from error
    if not isinstance(value, dict):
        raise Damaged(f"{path} holds no JSON object")
    return value


def _bytes_of(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Damaged(f"{path} can't be read ({error.strerror})") from error


def write_atomic(path: Path, *parts: bytes, shared: bool = False) -> None:
    """Replace a file by the given bytes, which are on the disk before the old ones go; `shared` as
    in `write_json_atomic`."""
    own = f".{uuid.uuid4().hex}" if shared else ""
    temporary = path.with_name(f".{path.name}{own}.tmp")
    try:
        with open(temporary, "wb") as file:
            for part in parts:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        _sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Put a folder's list of files on the disk: a renamed file is only then where it belongs."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def dumps(record: Mapping[str, Any], indent: int | None = None) -> str:
    """A record as strict JSON, its keys in their order; numbers of numpy are numbers."""
    nonfinite: list[str] = []
    plain = _finite(record, "", nonfinite)
    if nonfinite:
        plain["nonfinite"] = nonfinite
    return json.dumps(plain, indent=indent, allow_nan=False, ensure_ascii=False)


def _finite(value: Any, path: str, nonfinite: list[str]) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, Mapping):
        prefix = f"{path}/" if path else ""
        return {key: _finite(child, f"{prefix}{key}", nonfinite) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(child, f"{path}/{i}", nonfinite) for i, child in enumerate(value)]
    if isinstance(value, float) and not math.isfinite(value):
        nonfinite.append(path)
        return None
    return value


def _whole(path: Path) -> list[tuple[bytes, dict[str, Any]]]:
    """The lines of a file and their records, without a torn last line.

    Raises:
        Damaged: as `read` does.
    """
    found = parse_lines(_bytes_of(path) or b"")
    for number, what in found.complaints:
        raise Damaged(
            f"{path}, line {number} is damaged ({what})", "delete the run's folder to rerun it"
        )
    pairs = zip(found.lines, found.records, strict=True)
    return [(line, record) for line, record in pairs if record is not None]


def _cut_torn_line(file: IO[bytes]) -> None:
    end = file.seek(0, os.SEEK_END)
    keep = end
    while keep > 0:
        start = max(0, keep - _BLOCK)
        file.seek(start)
        block = file.read(keep - start)
        newline = block.rfind(b"\n")
        if newline >= 0:
            keep = start + newline + 1
            break
        keep = start
    if keep < end:
        file.truncate(keep)
