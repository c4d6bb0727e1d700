"""The next group's programs, compiled while this one trains."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from contextlib import suppress

from jax.sharding import Mesh

from seqexp.sweeps.groups import Group
from seqexp.training.mesh import group_mesh, slice_widths
from seqexp.training.programs import Programs


class Ahead:
    """Compiles the programs of one group at a time in a thread, which holds up no exit."""

    def __init__(self) -> None:
        self._group: Group | None = None
        self._mesh: Mesh | None = None
        self._programs: Future[Programs] = Future()

    def start(self, group: Group, members: int) -> None:
        """Begin with a group of which so many members are to train."""
        self.wait()
        self._group, self._mesh = group, group_mesh(members, group.batch_devices)
        self._programs = Future()
        work = (group, members, self._mesh, self._programs)
        threading.Thread(target=_compile, args=work, daemon=True, name="seqexp-ahead").start()

    def take(self, group: Group, mesh: Mesh) -> Programs | None:
        """The programs of a group on a mesh, once they are done; None where they were not begun, or
        something went wrong: who compiles them then will be told what."""
        if group is not self._group or mesh != self._mesh:
            return None
        self._group = None
        with suppress(Exception):
            return self._programs.result()
        return None

    def wait(self) -> None:
        """Until nothing compiles."""
        if self._mesh is not None:
            self._programs.exception()

    def forget(self) -> None:
        """What was compiled is not there any more."""
        self.wait()
        self._group = None


def _compile(group: Group, members: int, mesh: Mesh, programs: Future[Programs]) -> None:
    try:
        splits, widths = group.load(), slice_widths(members, mesh)
        programs.set_result(Programs.compile_ahead(group.experiment, splits, mesh, widths))
    except BaseException as error:
        programs.set_exception(error)
