"""The next group's programs, compiled while this one trains."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import Future
from contextlib import suppress

from jax.sharding import Mesh

from seqexp.sweeps.groups import Group
from seqexp.training.mesh import group_mesh, slice_widths
from seqexp.training.programs import Programs
from seqexp.types import SeqexpError, reason

_log = logging.getLogger(__name__)


class Ahead:
    """Compiles the programs of one group at a time in a thread, which holds up no exit.

    Whatever goes wrong there is nobody's failure: the group is compiled in its turn.
    """

    def __init__(self) -> None:
        self._group: Group | None = None
        self._mesh: Mesh | None = None
        self._programs: Future[Programs | None] = Future()
        self._programs.set_result(None)

    def start(self, group: Group, members: int) -> None:
        """Begin with a group of which so many members are to train."""
        self.wait()
        with suppress(SeqexpError, RuntimeError):  # No such mesh; no thread to be had.
            mesh, programs = group_mesh(members, group.batch_devices), Future()
            work = group, members, mesh, programs
            threading.Thread(target=_compile, args=work, daemon=True, name="seqexp-ahead").start()
            self._group, self._mesh, self._programs = group, mesh, programs

    def take(self, group: Group, mesh: Mesh) -> Programs | None:
        """The programs of a group on a mesh, once they are there; None where they were not begun,
        or something went wrong: who compiles them then will be told what."""
        if group is not self._group or mesh != self._mesh:
            return None
        self._group = None
        return self._programs.result()

    def wait(self) -> None:
        """Until nothing compiles."""
        self._programs.result()

    def forget(self) -> None:
        """What was compiled is not there any more."""
        self.wait()
        self._group = None


def _compile(group: Group, members: int, mesh: Mesh, programs: Future[Programs | None]) -> None:
    found = None
    try:
        splits, widths = group.load(), slice_widths(members, mesh)
        found = Programs.compile_ahead(group.experiment, splits, mesh, widths)
    except BaseException as error:  # An own layer may raise anything.
        _log.debug("not compiled ahead: %s", reason(error))
    finally:
        programs.set_result(found)
