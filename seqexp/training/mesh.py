"""The mesh that a group trains on: members along one axis, a member's batch along the other."""

from __future__ import annotations

import os

import jax
import numpy as np
from jax.sharding import Mesh

from seqexp.types import SeqexpError

MEMBERS, BATCH = "members", "batch"


def expose_cores() -> None:
    """Make each CPU core a device of its own. Call before anything asks jax for its devices.

    XLA gains almost nothing from a second core inside a scan body, so members run one a core.
    """
    if "xla_force_host_platform_device_count" in os.environ.get("XLA_FLAGS", ""):
        return
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    jax.config.update("jax_num_cpu_devices", cores or 1)


def group_mesh(members: int, batch_devices: int) -> Mesh:
    """The mesh for so many members: no more devices than there is work for.

    Args:
        members: M.
        batch_devices: how many devices share one member's batch.

    Raises:
        SeqexpError: if there are fewer devices than `batch_devices`.
    """
    devices = jax.local_devices()
    if not isinstance(batch_devices, int) or not 1 <= batch_devices <= len(devices):
        raise SeqexpError(
            f"trainer.batch_devices={batch_devices}, but this machine has {len(devices)} "
            f"{devices[0].platform} device(s): choose from 1 to {len(devices)}"
        )
    rows = min(members, len(devices) // batch_devices)
    grid = np.asarray(devices[: rows * batch_devices]).reshape(rows, batch_devices)
    return Mesh(grid, (MEMBERS, BATCH))
