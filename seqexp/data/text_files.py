"""Text files: UTF-8 or an error that names the line, and lines that end in `\\n` alone."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from hashlib import file_digest
from pathlib import Path
from typing import NoReturn

from seqexp.types import SeqexpError

BYTE_ORDER_MARK = "\ufeff"


def read_text(path: str | Path) -> str:
    """The text of a UTF-8 file, decompressed where its name ends in `.gz`.

    A byte order mark at the beginning is dropped, and `\\r\\n` becomes `\\n`. Nothing else is
    changed: a lone `\\r` and the other line separators of Unicode are characters like any other.

    Raises:
        SeqexpError: the file can't be read, is a broken archive, is not UTF-8, or has a NUL byte;
            names the line where there is one.
    """
    content = read_bytes(path)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        fail(path, line, f"byte 0x{content[error.start]:02x} is not UTF-8; convert the file to it")
    if (nul := text.find("\0")) >= 0:
        fail(path, text.count("\n", 0, nul) + 1, "a NUL byte; is this a text file?")
    return text.removeprefix(BYTE_ORDER_MARK).replace("\r\n", "\n")


def read_lines(path: str | Path) -> Iterator[tuple[int, str]]:
    """The lines of a UTF-8 file with their numbers from 1, split on `\\n` alone.

    The last line may end in `\\n` or not; an empty file has no lines. Raises SeqexpError as
    `read_text` does.
    """
    text = read_text(path).removesuffix("\n")
    # Not `splitlines`, which also splits on characters that occur inside of sentences.
    return enumerate(text.split("\n"), 1) if text else iter(())


def read_plain_text(path: str | Path) -> str:
    """The text of a file as `read_text` gives it, for a language model.

    Raises SeqexpError as `read_text` does, and where there is nothing but white space.
    """
    text = read_text(path)
    if not text.strip():
        raise SeqexpError(f"{path} holds no text")
    return text


def read_bytes(path: str | Path) -> bytes:
    """The bytes of a file, decompressed where its name ends in `.gz`.

    Raises SeqexpError where it can't be read or is a broken archive.
    """
    path = Path(path)
    try:
        return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise unreadable(path, error) from error


def unreadable(path: str | Path, error: Exception) -> SeqexpError:
    """What to raise for a file whose bytes can't be had."""
    if isinstance(error, (EOFError, zlib.error, gzip.BadGzipFile)):
        return SeqexpError(f"{path} is no whole gzip archive; supply it again")
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return SeqexpError(f"{path} can't be read: {said}; check the path")


def hash_file(path: str | Path) -> str:
    """sha256 of a file's own bytes, 64 hexadecimal digits; of an archive, not of its content.

    Raises SeqexpError where it can't be read.
    """
    try:
        with Path(path).open("rb") as file:
            return file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise unreadable(path, error) from error


def fail(path: str | Path, line: int, message: str) -> NoReturn:
    """Raises SeqexpError for a line of a file."""
    raise SeqexpError(f"{path}, line {line}: {message}")
