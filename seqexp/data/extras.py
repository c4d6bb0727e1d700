"""Libraries that come with an extra: imported where they are used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from seqexp.types import SeqexpError


@contextmanager
def needs(extra: str) -> Iterator[None]:
    """A block of imports from an extra of this package.

    Args:
        extra: its name in `pyproject.toml`.

    Raises:
        SeqexpError: one of them is not installed; says the command that installs it.

    >>> with needs("audio"):
    ...     import numpy
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise SeqexpError(
            f"{error.name} is not installed: run `pip install 'seqexp[{extra}]'`"
        ) from error
