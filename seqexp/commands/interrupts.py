"""Control-C that is never lost."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

DEAF = ("_xla_gc_callback", "__del__")
"""Functions whose exceptions Python prints and ignores: jax's, at each garbage collection, and
finalizers."""

AGAIN = 0.02
"""Seconds until an interrupt that came in one of these is tried again."""


@contextmanager
def heard() -> Iterator[None]:
    """Within, an interrupt raises KeyboardInterrupt where it will be noticed.

    Nothing changes outside of the main thread, nor where interrupts are handled otherwise, or
    ignored as in a background job.
    """
    before = signal.getsignal(signal.SIGINT)
    if (
        threading.current_thread() is not threading.main_thread()
        or before is not signal.default_int_handler
    ):
        yield
        return
    signal.signal(signal.SIGINT, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _interrupt(number: int, frame: FrameType | None) -> None:
    while frame is not None:
        if frame.f_code.co_name in DEAF:
            timer = threading.Timer(AGAIN, os.kill, (os.getpid(), number))
            timer.daemon = True
            timer.start()
            return
        frame = frame.f_back
    raise KeyboardInterrupt
