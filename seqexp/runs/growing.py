"""Files of JSON lines that another process appends to, read a piece at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from seqexp.runs.store import parse_lines

TAIL = 64
"""So many bytes before the place reached are compared, to notice a file that was replaced."""


class News(NamedTuple):
    """What has come since the last look.

    Attributes:
        records: of the new whole lines.
        anew: whether the file was replaced or cut, so that what was read before no longer counts.
    """

    records: list[dict[str, Any]]
    anew: bool


class GrowingLines:
    """Reads only what is new. A line counts once its newline is there: a torn one waits for it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._tail = b""
        self._stamp: tuple[int, int, int] | None = None
        self.written = 0.0
        """When the file was last written, in seconds since 1970; 0 where there is none."""

    def news(self) -> News:
        """The records appended since the last call; a line that holds no record is passed over.

        Raises OSError where the file is there and can't be read.
        """
        before = self._stamp
        try:
            found = self._path.stat()
        except FileNotFoundError:
            self._stamp, self.written = None, 0.0
            return News([], self._begin_anew())
        stamp = found.st_ino, found.st_size, found.st_mtime_ns
        if stamp == before:
            return News([], False)
        self.written = found.st_mtime
        with open(self._path, "rb") as file:
            file.seek(self._offset - len(self._tail))
            same_file = before is None or before[0] == found.st_ino
            anew = False
            if not same_file or file.read(len(self._tail)) != self._tail:
                anew = self._begin_anew()
                file.seek(0)
            data = file.read()
        self._stamp = stamp
        whole = data[: data.rfind(b"\n") + 1]
        self._offset += len(whole)
        self._tail = (self._tail + whole)[-TAIL:]
        records = parse_lines(whole).records
        return News([record for record in records if record is not None], anew)

    def _begin_anew(self) -> bool:
        """Forget what was read; returns whether there was anything."""
        read, self._offset, self._tail = self._offset > 0, 0, b""
        return read


class LastRecord:
    """The last record of a file of JSON lines."""

    def __init__(self, path: Path) -> None:
        self._lines = GrowingLines(path)
        self._record: dict[str, Any] = {}

    def read(self) -> dict[str, Any]:
        """The last record; an empty one where there is none."""
        try:
            records, anew = self._lines.news()
        except OSError:
            return {}
        if records or anew:
            self._record = records[-1] if records else {}
        return self._record
