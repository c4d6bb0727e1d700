"""Options of a command, with mistakes in one line."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from seqexp.errors import SeqexpError


def parse(
    parser: argparse.ArgumentParser, arguments: Sequence[str], command: str
) -> tuple[argparse.Namespace, list[str]]:
    """The options that a parser knows, and the words that are none.

    Args:
        parser: made with `exit_on_error=False`.
        arguments: of the command.
        command: its name, for messages.

    Raises:
        SeqexpError: for an unknown option, or a value that an option does not take.
    """
    try:
        found, words = parser.parse_known_args(arguments)
    except argparse.ArgumentError as error:
        raise SeqexpError(f"{error}: seqexp {command} --help shows how to call it") from error
    for word in words:
        if word.startswith("-"):
            raise SeqexpError(f"no option {word}: seqexp {command} --help lists them")
    return found, words
