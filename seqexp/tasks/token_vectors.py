"""Pretrained vectors of a task's tokens, from a file that the user names."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from seqexp.data.text_files import hash_file
from seqexp.data.vectors import Symbols, read_vectors
from seqexp.types import TokenVectors


def token_vectors(path: str | None, vocabulary: Callable[[], Symbols]) -> TokenVectors | None:
    """What `read_vectors` finds for a vocabulary, and raises; None without a file.

    Args:
        path: of the file, or None.
        vocabulary: the task's, asked for where there is a file: it may need the data.
    """
    if path is None:
        return None
    return _read(Path(path).expanduser(), *vector_hashes(path).values(), vocabulary())


def vector_hashes(path: str | None) -> dict[str, str]:
    """sha256 of the file, for a task's `data_hashes`; empty without one.

    Raises SeqexpError where it can't be read.
    """
    return {} if path is None else {"vectors": hash_file(Path(path).expanduser())}


@lru_cache(maxsize=4)
def _read(path: Path, sha256: str, vocabulary: Symbols) -> TokenVectors:
    """Once for the points of a sweep; read again where the file has changed."""
    return read_vectors(path, vocabulary)
