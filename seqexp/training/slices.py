"""Slices: which members train side by side, and their arrays on the devices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from seqexp.training.mesh import MEMBERS, rows_at_work


@dataclass(frozen=True)
class Slices:
    """Members of a group cut into slices, `width` of them at a time on each row of the mesh that
    works. Rows that rest, and free places of the last slice, are filled with copies of a member
    that take no step.

    Attributes:
        mesh: from `group_mesh`.
        members: M.
        width: how many members a device trains side by side, one of `slice_widths`.
    """

    mesh: Mesh
    members: int
    width: int = 1

    @cached_property
    def size(self) -> int:
        """Members of a slice."""
        return rows_at_work(self.mesh) * self.width

    @property
    def places(self) -> int:
        """Of a slice's arrays: for its members, and for copies on rows that rest."""
        return self.mesh.devices.shape[0] * self.width

    @property
    def count(self) -> int:
        """How many slices there are."""
        return -(-self.members // self.size)

    @cached_property
    def _by_member(self) -> NamedSharding:
        return NamedSharding(self.mesh, PartitionSpec(MEMBERS))

    def split(self, items: Sequence[Any], resting: Any = None) -> list[Any]:
        """Stack members' pytrees, one for each slice.

        Args:
            items: by member.
            resting: of the copies; the last member's where it is None.
        """
        other = items[-1] if resting is None else resting
        slices = [items[i : i + self.size] for i in range(0, len(items), self.size)]
        filled = [[*own, *[other] * (self.places - len(own))] for own in slices]
        return [
            jax.device_put(jax.tree.map(lambda *a: np.stack(a), *own), self._by_member)
            for own in filled
        ]

    def outline(self, member: Any) -> Any:
        """Shapes in place of the arrays of a slice, from those of one member."""
        return jax.tree.map(
            lambda a: jax.ShapeDtypeStruct(
                (self.places, *a.shape), a.dtype, sharding=self._by_member
            ),
            member,
        )

    def join(self, slices: Sequence[Any]) -> list[Any]:
        """Split the slices' pytrees into one for each member, on the host."""
        host = on_host(list(slices))
        return [
            jax.tree.map(lambda a, m=m: a[m % self.size], host[m // self.size])
            for m in range(self.members)
        ]

    def compile(
        self, name: str, function: Callable[..., Any], sharded: int, shared: int
    ) -> Callable[..., Any]:
        """Compile a function of one member for a slice.

        Args:
            name: that profiles and logs of compilation show.
            function: of one member's arguments and the shared ones.
            sharded: how many of the arguments, the first, are stacked over members.
            shared: how many others are every member's.
        """

        def on_a_device(*arguments: Any) -> Any:
            own, common = arguments[:sharded], arguments[sharded:]
            if self.width > 1:
                return jax.vmap(lambda *a: function(*a, *common))(*own)
            # Not vmap over one: a batch axis of size 1 changes which products XLA chooses.
            alone = jax.tree.map(lambda a: a[0], own)
            return jax.tree.map(lambda a: a[None], function(*alone, *common))

        return self.compile_stacked(name, on_a_device, sharded, shared)

    def compile_stacked(
        self, name: str, function: Callable[..., Any], sharded: int, shared: int
    ) -> Callable[..., Any]:
        """The same for a function of all members that a device has side by side, stacked."""

        def on_a_device(*arguments: Any) -> Any:
            return function(*arguments)

        on_a_device.__name__ = name
        by_member = PartitionSpec(MEMBERS)
        return jax.jit(
            jax.shard_map(
                on_a_device,
                mesh=self.mesh,
                in_specs=(by_member,) * sharded + (PartitionSpec(),) * shared,
                out_specs=by_member,
                check_vma=False,
            )
        )


def on_host(arrays: Any) -> Any:
    """Arrays in the host's memory."""
    # An array whose allocation failed raises when it is waited for, and never arrives where it is
    # read at once.
    return jax.device_get(jax.block_until_ready(arrays))
