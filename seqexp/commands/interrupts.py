"""Control-C, SIGTERM and SIGHUP: one line and their exit code, whenever they come.

Nothing heavy may be imported in here: a signal that comes before these handlers are there ends in
Python's own traceback, or without a word.
"""

from __future__ import annotations

import _thread
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Collection
from contextlib import suppress
from types import FrameType

WORDS: dict[int, str] = {
    signal.SIGINT: "interrupted",
    signal.SIGTERM: "terminated",
    signal.SIGHUP: "hung up",
}
GO_ON = "; the same command goes on from here"

IMPORTING = ("_find_and_load", "_handle_fromlist")
"""Functions that import. An extension that is being loaded may abort where Python raises, as jax's
does; so the process ends at once there."""

DEAF = ("_xla_gc_callback", "__del__")
"""Functions whose exceptions Python prints and ignores: jax's, at each garbage collection, and
finalizers."""

AGAIN = 0.02
"""Seconds until an interrupt that was not noticed is raised again."""

DOUBLE = 0.5
"""Seconds within which a second signal counts as the same one: `timeout` sends each of its signals
to the process and to its group."""

PATIENCE = 20.0
"""Seconds that a command has to close what is open."""


class Interrupted(KeyboardInterrupt):
    """What a signal raises in the main thread."""


class Interrupts:
    """Within this context a signal raises `Interrupted`, again and again until it is noticed.

    It ends the process at once, as `kill -9` would but with its line and exit code, if it comes
    while libraries are imported, or a second time, or once there is nothing left to interrupt, and
    if the process has not ended `PATIENCE` seconds later, as while a program compiles. Records
    bear that at any moment.

    Nothing changes outside of the main thread, nor for signals that are handled otherwise, or
    ignored as in a background job.

    Attributes:
        number: of the signal that has come; None for none.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self._before: dict[int, object] = {}
        self._noticed = self._said = False

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is not threading.main_thread():
            return self
        for number in WORDS:
            before = signal.getsignal(number)
            if before in (signal.SIG_DFL, signal.default_int_handler):
                self._before[number] = before
                signal.signal(number, self._handle)
        if self._before:
            self._unraisable, sys.unraisablehook = sys.unraisablehook, self._ignore
            # Python runs handlers between two instructions of its main thread, which may be long
            # in coming; but their numbers are in this pipe at once.
            reading, self._writing = os.pipe()
            os.set_blocking(self._writing, False)
            self._wakeup = signal.set_wakeup_fd(self._writing, warn_on_full_buffer=False)
            thread = threading.Thread(target=self._watch, args=(reading,), daemon=True)
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.notice()
        for number, before in self._before.items():
            signal.signal(number, before)  # pyright: ignore[reportArgumentType]
        if self._before:
            sys.unraisablehook = self._unraisable
            signal.set_wakeup_fd(self._wakeup)
            os.close(self._writing)

    @property
    def exit_code(self) -> int:
        """What a shell would say of a process that this signal ended."""
        assert self.number is not None
        return 128 + self.number

    def notice(self) -> None:
        """There is nothing left to interrupt: the next signal ends the process at once."""
        self._noticed = True

    def say(self) -> None:
        """Say what has come, and how to go on."""
        assert self.number is not None
        self._said = True
        with suppress(OSError):  # The terminal may be gone.
            print(f"\n{WORDS[self.number]}{GO_ON}", file=sys.stderr)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._noticed:
            return
        self.number = self.number or number
        if _is_handled() or _within(frame, DEAF):
            return
        if _within(frame, IMPORTING):
            self._end(number)
        raise Interrupted

    def _ignore(self, unraisable: sys.UnraisableHookArgs) -> None:
        # It comes again.
        if not isinstance(unraisable.exc_value, Interrupted):
            self._unraisable(unraisable)

    def _watch(self, reading: int) -> None:
        """Read the numbers of signals as they come, and nudge the main thread until it notices."""
        first, nudges, came = float("inf"), 0, 0
        with open(reading, "rb", buffering=0) as pipe:
            while True:
                ready, _, _ = select.select(
                    [pipe], [], [], None if first == float("inf") else AGAIN
                )
                since = time.monotonic() - first
                if not ready:
                    if since > PATIENCE:
                        self._end(came)
                    if self.number is not None and not self._noticed:
                        nudges += 1
                        signal.pthread_kill(_main_thread(), self.number)
                    continue
                number = pipe.read(1)
                if not number:
                    return
                if number[0] not in self._before:
                    continue
                if nudges:
                    nudges -= 1
                elif since > DOUBLE or (self._noticed and self.number is None):
                    self._end(number[0])
                first, came = min(first, time.monotonic()), came or number[0]

    def _end(self, number: int) -> None:
        self.number = self.number or number
        self.notice()
        said, self._said = self._said, True
        if not said:
            # A progress display hides the cursor.
            show = "\x1b[?25h" if os.isatty(2) else ""
            with suppress(OSError):
                os.write(2, f"{show}\n{WORDS[self.number]}{GO_ON}\n".encode())
        # In a thread, for a disk that does not answer must not hold it up; and made without the
        # locks of `threading`, which the main thread may hold where it is.
        done = _thread.allocate_lock()
        done.acquire()
        _thread.start_new_thread(_last_words, (done,))
        done.acquire(timeout=1.0)
        os._exit(self.exit_code)


def _main_thread() -> int:
    ident = threading.main_thread().ident
    assert ident is not None
    return ident


def _is_handled() -> bool:
    """Whether an interrupt is on its way already: what is interrupted then is its clearing up."""
    error = sys.exc_info()[1]
    while error is not None:
        if isinstance(error, Interrupted):
            return True
        error = error.__context__
    return False


def _within(frame: FrameType | None, functions: Collection[str]) -> bool:
    while frame is not None:
        if frame.f_code.co_name in functions:
            return True
        frame = frame.f_back
    return False


def _last_words(done: _thread.LockType) -> None:
    # Not imported for this: before anything is open there is nothing to do.
    module = sys.modules.get("seqexp.runs.endings")
    if module is not None:
        module.end()
    done.release()
