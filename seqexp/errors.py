"""Errors, and what they say in one line. Imports nothing: JAX alone takes a second."""

from __future__ import annotations


class SeqexpError(Exception):
    """A mistake that the user can mend; the message says what is wrong and what to do."""


def first_line(error: BaseException) -> str:
    """What an error says, in one line; its type where it says nothing."""
    return next(iter(str(error).strip().splitlines()), "") or type(error).__name__


def reason(error: BaseException) -> str:
    """An error in one line, for people; what is not ours with its type."""
    said = first_line(error)
    kind = type(error).__name__
    return said if isinstance(error, SeqexpError) or said == kind else f"{kind}: {said}"
