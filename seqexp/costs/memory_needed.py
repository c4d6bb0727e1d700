"""Whether a training can fit into memory at all, known from shapes before any array is made."""

from __future__ import annotations

from functools import partial

import jax
from jax.sharding import Mesh

from seqexp.costs.memory import tree_bytes
from seqexp.costs.memory_there import Room, device_room, host_room
from seqexp.costs.parameters import count_all
from seqexp.training import Experiment, Hyper
from seqexp.training.mesh import rows_at_work
from seqexp.training.step import init_member
from seqexp.types import SeqexpError, Splits


class TooLarge(SeqexpError):
    """It needs more memory than there is."""


def require_room(
    experiment: Experiment, members: int, mesh: Mesh, splits: Splits | None = None
) -> None:
    """Refuse what surely can't fit. On a device, at the same time, there are at least

        n states before a step, n after it    and    the gradients of the member at work

    of its n members: parameters, optimizer state and the parameters that were best on validation,
    each. A device that rests (`LEAST_ROWS`) has states too. A batch that is split over devices has
    them on each; so does the data stand on each, in the host's memory once already. What a program
    needs beside depends on the compiler: `require_program` compares that once it is known.

    Args:
        experiment: what the members share.
        members: M.
        mesh: that they train on.
        splits: the data, where it counts.

    Raises:
        TooLarge: with the size, and what is there.
    """
    state = jax.eval_shape(partial(init_member, experiment, Hyper.example()))
    rows, columns = mesh.devices.shape
    working = rows_at_work(mesh)
    states = 2 * -(-members // working) * tree_bytes(state)
    gradients = tree_bytes(state.params)
    # A user's stream may hold other things than arrays.
    data = sum(getattr(leaf, "nbytes", 0) for leaf in jax.tree.leaves(splits))
    what = (
        f"{count_all(state.params):,} parameters, with gradients, optimizer state and "
        f"a step's results for {members} at once"
    )
    remedy = "use a smaller model" + (" or fewer seeds at once" if members > 1 else "")
    if mesh.devices.flat[0].platform == "cpu":
        devices, at_work = rows * columns, min(members, working) * columns
        if devices > 1:
            held = "states and data" if data else "states"
            what += f" ({held} on {devices} devices, of which {at_work} work)"
        needed = devices * states + at_work * gradients + (devices - 1) * data
        require(needed, host_room(), what, remedy)
    else:
        needed = states + gradients + data
        require(needed, device_room(mesh.devices.flat[0]), what, remedy)


def require_program(needed: int | None, members: int, mesh: Mesh) -> None:
    """Refuse a compiled program that surely can't run.

    Args:
        needed: bytes on a device at work beside what is there already; None where that is unknown.
        members: that it trains.
        mesh: that it runs on.

    Raises:
        TooLarge: with the size, and what is there.
    """
    device = mesh.devices.flat[0]
    host = device.platform == "cpu"
    room = host_room() if host else device_room(device)
    at_work = min(members, rows_at_work(mesh)) * mesh.devices.shape[1]
    times = at_work if host else 1
    what = "the arrays of a training step"
    remedy = "use a smaller model, a smaller trainer.batch_size or shorter sequences"
    require(times * (needed or 0), room, what, remedy)


def require(needed: int, room: Room | None, what: str, remedy: str) -> None:
    """Raise TooLarge where so many bytes are more than there is room for."""
    if room is not None and needed > room.bytes:
        raise TooLarge(
            f"too large: {what} need {size(needed)} at least, and {room.of} has "
            f"{size(room.bytes)} left; {remedy}"
        )


def size(count: int) -> str:
    """A number of bytes, for people."""
    for unit, each in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if count >= each:
            many = count / each
            return f"{many:,.0f} {unit}" if many >= 100 else f"{many:.3g} {unit}"
    return f"{count:,} bytes"
