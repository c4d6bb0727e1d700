"""Filters one spurious XLA warning out of stderr.

On a processor with AVX-512, jaxlib before 0.12 compiles CPU programs with two preferences of LLVM,
prefer-no-gather and prefer-no-scatter, and looks for them among the processor's features when it
loads a program from the persistent cache (jax issue 38445, xla issue 44565). It loads the program
all the same, and it is right; but each load says at level ERROR, in two lines of 4 kB, that it
could end in SIGILL.

Three ways to be rid of it were worse. TF_CPP_MIN_LOG_LEVEL=3 hides every other error of the
process too, and works only if it is set before jax is imported. Doing without the cache compiles
everything anew in each process. Another instruction set changes what is computed. So stderr is
caught while a program is loaded, a few milliseconds, and all but these lines is written on.
"""

from __future__ import annotations

import functools
import os
import re
import sys
import tempfile
import threading
from collections.abc import Callable
from importlib import metadata
from typing import Any

MENDED = (0, 12)
"""The first jaxlib that doesn't say it."""

ALARM = re.compile(
    rb"^[^\n]*cpu_aot_loader\.cc:\d+\] Loading XLA:CPU AOT result\. "
    rb"Target machine feature \+prefer-no-(gather|scatter) is not +supported[^\n]*\n?",
    re.MULTILINE,
)
PRELUDE = re.compile(rb"^WARNING: All log messages before absl::InitializeLog\(\)[^\n]*\n?")

_stderr_is_caught = threading.Lock()


def silence_false_alarm() -> None:
    """Load programs from jax's persistent cache without the alarm, where this jaxlib has it."""
    if tuple(int(part) for part in metadata.version("jaxlib").split(".")[:2]) >= MENDED:
        return
    # No public function is called between reading a program's file and loading it.
    from jax._src import compilation_cache

    load = compilation_cache.get_executable_and_time
    if not hasattr(load, "__wrapped__"):
        compilation_cache.get_executable_and_time = without_false_alarm(load)


def without_false_alarm(load: Callable[..., Any]) -> Callable[..., Any]:
    """The same function; of what it writes to stderr the alarm is left out, and nothing else."""

    @functools.wraps(load)
    def quiet(*args: Any, **kwargs: Any) -> Any:
        with _stderr_is_caught, tempfile.TemporaryFile() as caught:
            if sys.stderr is not None:
                sys.stderr.flush()
            try:
                stderr = os.dup(2)
            except OSError:  # Closed, so that nobody reads it.
                return load(*args, **kwargs)
            os.dup2(caught.fileno(), 2)
            try:
                return load(*args, **kwargs)
            finally:
                os.dup2(stderr, 2)
                os.close(stderr)
                caught.seek(0)
                _write(_true_part(caught.read()))

    return quiet


def _true_part(text: bytes) -> bytes:
    """What was said beside the alarm."""
    rest = ALARM.sub(b"", text)
    # That logging hasn't been set up yet is said before the first message, whatever it is.
    return PRELUDE.sub(b"", rest) if PRELUDE.fullmatch(rest) else rest


def _write(text: bytes) -> None:
    while text:
        try:
            text = text[os.write(2, text) :]
        except OSError:  # A full disk or a closed pipe must not undo the load.
            return
