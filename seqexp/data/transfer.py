"""Get the bytes of an address, with patience."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import BinaryIO

import requests

WAITS = (1.0, 3.0)
"""Seconds between attempts."""

TIMEOUT = 10.0, 30.0
"""Seconds to connect, and between two parts of an answer."""

BLOCK = 1 << 16
PASSING = {408, 425, 429}
"""What a server answers that may answer otherwise later, beside all of its own errors (5xx)."""


class Unavailable(Exception):
    """What was asked for is not to be had; says why.

    Args:
        why: in a few words.
        passing: whether another attempt may succeed.
    """

    def __init__(self, why: str, passing: bool = True):
        super().__init__(why)
        self.passing = passing


def patiently(attempt: Callable[[], None]) -> None:
    """Attempt something, and again after each of `WAITS` while it raises an `Unavailable` that may
    pass.
    """
    for wait in WAITS:
        try:
            return attempt()
        except Unavailable as error:
            if not error.passing:
                raise
        time.sleep(wait)
    return attempt()


def receive(
    url: str, file: BinaryIO, advance: Callable[[int], None], size: int | None = None
) -> None:
    """Write what a server sends for an address.

    Args:
        url: the address.
        file: to write to.
        advance: called with the number of bytes that came; a negative one takes back what came in
            vain.
        size: how many bytes must come; None for any number.

    Raises:
        Unavailable: the server does not have it, or the connection failed or broke off.
        OSError: the file cannot be written.
    """
    received = 0
    try:
        # Unpacked on the way, the bytes would not be those that Content-Length counts.
        headers = {"Accept-Encoding": "identity"}
        with (
            requests.Session() as session,
            session.get(url, stream=True, timeout=TIMEOUT, headers=headers) as response,
        ):
            response.raise_for_status()
            for block in response.iter_content(BLOCK):
                if size is not None and received + len(block) > size:
                    raise Unavailable(f"the server sent more than {size:,} bytes", passing=False)
                file.write(block)
                advance(len(block))
                received += len(block)
        if size is not None and received < size:
            raise Unavailable(f"the connection broke off after {received:,} of {size:,} bytes")
    except BaseException as error:
        advance(-received)
        if isinstance(error, requests.RequestException):
            raise _explained(error, received) from error
        raise


def _explained(error: requests.RequestException, received: int) -> Unavailable:
    if isinstance(error, requests.HTTPError) and error.response is not None:
        code = error.response.status_code
        return Unavailable(f"the server answered {code}", code in PASSING or code >= 500)
    if isinstance(error, requests.Timeout):
        return Unavailable("the server did not answer in time")
    if received or isinstance(error, requests.exceptions.ChunkedEncodingError):
        return Unavailable(f"the connection broke off after {received:,} bytes")
    return Unavailable(f"the connection failed ({type(error).__name__})")
