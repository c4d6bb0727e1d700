"""Output that ends no command: written as a terminal can show it, dropped where nobody reads it."""

from __future__ import annotations

import codecs
import io
import os
import select
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TextIO

HANDLER = "seqexp.readable"
"""The name of `readable` among the error handlers of codecs."""

READABLE = {
    **{"±": "+-", "×": "x", "·": "*", "−": "-", "–": "-", "—": "-", "…": "...", "µ": "u", "μ": "u"},
    **{"→": "->", "≤": "<=", "≥": ">=", "≈": "~", "∞": "inf", "°": " deg", "•": "*", "✓": "yes"},
    **{"‘": "'", "’": "'", "“": '"', "”": '"', "\N{NO-BREAK SPACE}": " ", "\u202f": " "},
    **{"─": "-", "━": "-", "╸": "-", "╺": "-", "│": "|", "┃": "|"},
}
SUPERSCRIPTS = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-", strict=True))


def readable(error: UnicodeError) -> tuple[str, int]:
    """What stands for characters that an encoding has not: an error handler of codecs.

    Example:
        >>> "(1.7 ± 1.8)·10⁻⁴ läufe".encode("ascii", HANDLER).decode()
        '(1.7 +- 1.8)*10^-4 l\\\\xe4ufe'
    """
    if not isinstance(error, UnicodeEncodeError):
        raise error
    written, power = "", False
    for letter in error.object[error.start : error.end]:
        raised = SUPERSCRIPTS.get(letter)
        written += "^" if raised and not power else ""
        power = raised is not None
        written += raised or READABLE.get(letter) or _escaped(letter)
    return written, error.end


def _escaped(letter: str) -> str:
    # Rich's spinners are dots of Braille. What may stand in a file's name is never changed.
    return "*" if "\u2800" <= letter <= "\u28ff" else ascii(letter)[1:-1]


codecs.register_error(HANDLER, readable)


class _Unread(io.FileIO):
    """A file that takes whatever is written, for work must not end because its words are lost.

    Attributes:
        lost: why what was written is lost; None where it is not, or where nobody waits for it, as
            behind `| head`.
    """

    lost: str | None = None

    def write(self, data, /) -> int:
        try:
            while (written := super().write(data)) is None:
                select.select([], [self], [])  # a pipe that does not block, and is full
            return written
        except OSError as error:
            if not isinstance(error, BrokenPipeError):
                self.lost = error.strerror
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self.fileno())
            os.close(null)
            return memoryview(data).nbytes


def terminal_width() -> int | None:
    """The columns of the terminal that stdout is; None where it is none, and may be any wide."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


@dataclass
class Output:
    """What became of standard output: why it could not be written, if it could not."""

    lost: str | None = None


@contextmanager
def forgiving_output() -> Iterator[Output]:
    """Within, writing to stdout and stderr raises nothing, whatever they are.

    Characters that they cannot encode are replaced (`readable`), and a reader that has gone away
    is no error: the work goes on. Only a stdout that is lost otherwise, on a full disk say, is
    told once the context has ended.
    """
    _open_closed()
    output = Output()
    with _forgiving("stdout", 1) as raw, _forgiving("stderr", 2):
        yield output
    output.lost = raw and raw.lost


def _open_closed() -> None:
    """Open to nowhere what is closed of stdin, stdout and stderr.

    The next file would get its number, and what a library prints would go into a record.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free


@contextmanager
def _forgiving(name: str, number: int) -> Iterator[_Unread | None]:
    """`sys.stdout` or `sys.stderr` made forgiving; what writes it, where it is the process's own.

    Another's stream, as in a notebook or a test, has its characters replaced, and that is all.
    """
    stream = getattr(sys, name)
    if stream is not None and stream is not getattr(sys, f"__{name}__"):
        with _replacing(stream):
            yield None
        return
    raw = _Unread(number, "w", closefd=False)
    unbuffered = stream is not None and isinstance(stream.buffer, io.RawIOBase)
    mine = io.TextIOWrapper(
        raw if unbuffered else io.BufferedWriter(raw),  # pyright: ignore[reportArgumentType]
        encoding="utf-8" if stream is None else stream.encoding,
        errors=HANDLER,
        line_buffering=stream is None or stream.line_buffering,
        write_through=unbuffered,
    )
    if stream is not None:
        stream.flush()
    setattr(sys, name, mine)
    try:
        yield raw
    finally:
        mine.flush()
        setattr(sys, name, stream)


@contextmanager
def _replacing(stream: TextIO) -> Iterator[None]:
    if not isinstance(stream, io.TextIOWrapper):
        yield
        return
    before = stream.errors
    stream.reconfigure(errors=HANDLER)
    try:
        yield
    finally:
        if not stream.closed:
            stream.reconfigure(errors=before)
