"""What runs where an executor starts a job: it plans its points, skips what is finished, trains."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seqexp.sweeps.executors.cores import own_cores
from seqexp.sweeps.executors.work import LOG, Work, write_result, write_started
from seqexp.types import SeqexpError, reason


def work(job: str, pinned: bool = False) -> None:
    """Train the points of a job, on its own cores; the result goes to its folder.

    Whatever goes wrong is written there too. Only a process that dies writes nothing.

    Args:
        job: its folder.
        pinned: whether this process runs on cores of its own already.
    """
    folder = Path(job)
    try:
        asked = Work.read(folder)
        write_started(folder)
        with _as_if_called_there(asked), own_cores(None if pinned else asked.cpus):
            from seqexp.sweeps.execute import execute
            from seqexp.training.start import start_jax

            start_jax()
            write_result(folder, execute(asked.points, patient=True))
    except SeqexpError as error:
        write_result(folder, error=reason(error))
    except Exception as error:  # Of whatever kind: the sweep is told.
        path = folder / "error.txt"
        lines = "".join(traceback.format_exception(error))
        path.write_text(lines, encoding="utf-8", errors="backslashreplace")
        write_result(folder, error=f"{reason(error)}; {path} says where it came from")


def print_to_folder(job: str) -> None:
    """What this process prints goes to the log in the folder of a job from now on."""
    log = os.open(Path(job) / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.close(log)


def python_path() -> str:
    """What PYTHONPATH has to be for a worker to find the modules that this process finds."""
    return os.pathsep.join(path for path in sys.path if path)


@contextmanager
def _as_if_called_there(asked: Work) -> Iterator[None]:
    """Within, relative paths and modules are found as where the sweep was called, and its command
    is this process's."""
    try:
        os.chdir(asked.folder)
    except OSError as error:
        raise SeqexpError(
            f"the sweep was called in {asked.folder}, which isn't on this machine "
            f"({error.strerror}): call it in a folder that all machines share"
        ) from error
    sys.path += [path for path in asked.paths if path not in sys.path]
    sys.argv = list(asked.command)
    yield
