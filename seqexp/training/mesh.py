"""The mesh that a group trains on: members along one axis, a member's batch along the other."""

from __future__ import annotations

import os
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from seqexp.cores import usable_cores
from seqexp.types import SeqexpError

MEMBERS, BATCH = "members", "batch"

AUTO = "auto"
"""The value of `trainer.batch_devices` that `auto_batch_devices` resolves."""

WORTH_A_DEVICE = 3e5
"""FLOPs of a training step, by its time steps, that are worth a CPU device: `auto_batch_devices`
has the measurements."""


LEAST_ROWS = 2
"""Of a mesh of CPU devices, for a member alone too. XLA optimizes a program for one device in other
steps than one for several, and may round otherwise in it: some fusions add in another order. So a
member alone has the program of a group, and the second device rests: it holds the data and a state,
and takes no step. A batch that is split has a program for several devices already."""


def expose_cores() -> None:
    """Make each CPU core a device of its own. Call before anything asks jax for its devices.

    XLA gains almost nothing from a second core inside a scan body, so members run one a core. A
    single core is `LEAST_ROWS` devices, of which one works. A number that is set already, by
    JAX_NUM_CPU_DEVICES or a flag of XLA, stays.
    """
    if not _asked() and jax.config.values["jax_num_cpu_devices"] <= 0:
        jax.config.update("jax_num_cpu_devices", max(LEAST_ROWS, usable_cores()))


def _asked() -> bool:
    """Whether the environment sets the number of CPU devices."""
    flags = os.environ.get("XLA_FLAGS", "")
    return "JAX_NUM_CPU_DEVICES" in os.environ or "xla_force_host_platform_device_count" in flags


def devices_at_work() -> int:
    """How many devices work at the same time: all of them, but of a CPU no more than there are
    cores, unless the environment asks for more."""
    devices = jax.local_devices()
    if devices[0].platform != "cpu" or _asked():
        return len(devices)
    return min(len(devices), usable_cores())


def lacks_devices() -> bool:
    """Whether this process has fewer CPU devices than the mesh of any training."""
    devices = jax.local_devices()
    return devices[0].platform == "cpu" and len(devices) < LEAST_ROWS


def rows_at_work(mesh: Mesh) -> int:
    """How many rows of a mesh members train on at the same time; the others rest."""
    rows, columns = mesh.devices.shape
    return max(1, min(rows, devices_at_work() // columns))


def group_mesh(members: int, batch_devices: int) -> Mesh:
    """The mesh for so many members: no more devices than there is work for, and on a CPU
    `LEAST_ROWS` rows where it has them and no batch is split.

    Args:
        members: M.
        batch_devices: how many devices share one member's batch.

    Raises:
        SeqexpError: if there are fewer devices than `batch_devices`.
    """
    devices = jax.local_devices()
    at_work = devices_at_work()
    here = f"this machine has {at_work} {devices[0].platform} device(s)"
    require_devices(batch_devices, at_work, here)
    rows = min(members, at_work // batch_devices)
    if devices[0].platform == "cpu" and batch_devices == 1:
        rows = max(rows, min(LEAST_ROWS, len(devices)))
    grid = np.asarray(devices[: rows * batch_devices]).reshape(rows, batch_devices)
    return Mesh(grid, (MEMBERS, BATCH))


def require_devices(batch_devices: Any, there: int, where: str) -> None:
    """Raise SeqexpError where a batch can't be shared by so many devices.

    Args:
        batch_devices: how many are to share it.
        there: how many there are.
        where: which these are, for people.
    """
    if type(batch_devices) is not int or not 1 <= batch_devices <= there:
        raise SeqexpError(
            f"trainer.batch_devices={batch_devices}, but {where}: choose {AUTO} or a whole number "
            f"from 1 to {there}"
        )


def auto_batch_devices(
    members: int, batch_size: int, flops_a_time_step: float, devices: int
) -> int:
    """What `trainer.batch_devices=auto` becomes: devices that no member needs share its batch.

        the largest d that divides batch_size, with members d <= devices
        and flops_a_time_step / d >= WORTH_A_DEVICE; 1 if there is none

    It is arithmetic and not a timing, for the number is part of a run's identity and must come out
    the same at each start. It depends on the machine's cores and on what is trained together:
    who wants the same run elsewhere sets the number. On accelerators it is 1, for want of
    measurements.

    A step of `Program` on one device over the same on two, and FLOPs a time step and device, on
    two cores of an AMD EPYC at (batch, time, input, hidden):

                (32,100,64,128)    (32,100,16,64)    (16,50,8,32)
        LSTM    1.43    9.6e6      1.58    2.0e6     1.18    2.7e5
        GRU     1.25    7.2e6      1.42    1.5e6     1.23    2.0e5
        Elman   1.45    2.4e6      1.14    5.0e5     0.77    6.5e4

    The last column varies by 0.2 from run to run, so what is like it stays whole.

    Args:
        members: M, of the whole group, finished ones too.
        batch_size: B.
        flops_a_time_step: of a training step of the whole batch, over T.
        devices: that work at the same time.
    """
    if jax.local_devices()[0].platform != "cpu":
        return 1
    worth = [
        d
        for d in range(2, devices // members + 1)
        if batch_size % d == 0 and flops_a_time_step / d >= WORTH_A_DEVICE
    ]
    return max(worth, default=1)


def slice_widths(members: int, mesh: Mesh) -> list[int]:
    """The candidate slice widths (members that a device trains side by side), to be measured.

    On a CPU only 1: `vmap` gains there at tiny widths alone, and a member must be bitwise what it
    is by itself. On an accelerator 1, 2, 4, ... and all the members that a device has.
    """
    if mesh.devices.flat[0].platform == "cpu":
        return [1]
    most = -(-members // mesh.devices.shape[0])
    return sorted({most} | {2**i for i in range(most.bit_length())})


def summed(tree: Any, axis: str) -> Any:
    """The sum of a pytree of arrays over the devices of an axis of the mesh.

    As one vector of each dtype: devices wait for each other once for all arrays, not for each.
    """
    leaves, structure = jax.tree.flatten(tree)
    sums = list(leaves)
    for dtype in dict.fromkeys(leaf.dtype for leaf in leaves):
        own = [i for i, leaf in enumerate(leaves) if leaf.dtype == dtype]
        ends = np.cumsum([leaves[i].size for i in own])[:-1]
        whole = jax.lax.psum(jnp.concatenate([leaves[i].ravel() for i in own]), axis)
        for i, part in zip(own, jnp.split(whole, ends), strict=True):
            sums[i] = part.reshape(leaves[i].shape)
    return jax.tree.unflatten(structure, sums)
