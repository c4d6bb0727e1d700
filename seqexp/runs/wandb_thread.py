"""Calls into wandb that hold nothing up for longer than they may."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from queue import SimpleQueue
from typing import Any, TypeVar

from seqexp.runs import endings

T = TypeVar("T")

_log = logging.getLogger(__name__)


class Unresponsive(Exception):
    """wandb did not answer in time, now or before; a warning has said so."""


class _Caller:
    """A thread that makes one call after the other. It holds up no exit."""

    def __init__(self) -> None:
        self.calls: SimpleQueue[tuple[Future, Callable[[], Any]]] = SimpleQueue()
        self.given_up = False
        threading.Thread(target=self._work, daemon=True, name="seqexp-wandb").start()

    def _work(self) -> None:
        while True:
            future, call = self.calls.get()
            try:
                future.set_result(call())
            except BaseException as error:
                future.set_exception(error)
            # Not kept alive until the next call comes.
            del future, call


_callers: list[_Caller] = []


def in_time(seconds: float, call: Callable[[], T]) -> T:
    """What a call into wandb returns, or raises; all of a process are made in one thread.

    Args:
        seconds: how long it may take.
        call: what to call.

    Raises:
        Unresponsive: it takes longer. wandb's own process hangs then, and every later call is
            refused at once.
    """
    if not _callers:
        _callers.append(_Caller())
    caller = _callers[0]
    if caller.given_up:
        raise Unresponsive
    future: Future[T] = Future()
    caller.calls.put((future, call))
    if not wait([future], seconds).done:
        caller.given_up = True
        # Its own exit function would wait for its process.
        endings.make_sudden()
        _log.warning("wandb has not answered for %g s; nothing more is mirrored", seconds)
        raise Unresponsive
    return future.result()
