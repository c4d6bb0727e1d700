"""How much more memory this process can have: of the machine, of its memory group, by ulimit."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path("/")


class Room(NamedTuple):
    """Bytes that can still be allocated, and what sets that limit."""

    bytes: int
    of: str


def host_room(root: Path = ROOT) -> Room | None:
    """What the tightest limit leaves: of the machine's memory and swap, of the memory groups
    (cgroups, version 1 or 2) of this process, of `ulimit -v` and `ulimit -d`.

    Args:
        root: where /proc is looked for, and the groups' folders that it names.

    Returns:
        None where the system says nothing.
    """
    rooms = [*_machine(root), *_groups(root), *_limits(root)]
    return min(rooms, key=lambda room: room.bytes, default=None)


@contextmanager
def host_room_only() -> Iterator[None]:
    """Within, more memory than there is room for is refused to this process (MemoryError) where
    the system would give it, and kill the process once it is used.
    """
    room, used = host_room(), _table(ROOT / "proc/self/status").get("VmData:")
    if room is None or used is None:
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limits = [limit for limit in (soft, hard) if limit != resource.RLIM_INFINITY]
    most = min([1024 * used + room.bytes, *limits])
    resource.setrlimit(resource.RLIMIT_DATA, (most, hard))
    try:
        yield
    finally:
        with suppress(ValueError):  # Someone lowered the hard limit meanwhile.
            resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def device_room(device: Any) -> Room | None:
    """What is free of an accelerator's own memory; None where it has none or does not say."""
    stats = device.memory_stats() or {}
    if "bytes_limit" not in stats:
        return None
    free = stats["bytes_limit"] - stats.get("bytes_in_use", 0)
    return Room(free, f"the memory of {device.device_kind}")


def _machine(root: Path) -> Iterator[Room]:
    table = _table(root / "proc/meminfo")
    if "MemAvailable:" in table:
        yield Room(
            1024 * (table["MemAvailable:"] + table.get("SwapFree:", 0)), "the machine's memory"
        )
    elif root == ROOT and "SC_PHYS_PAGES" in os.sysconf_names:
        whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        yield Room(whole, "the machine's memory")


def _limits(root: Path) -> Iterator[Room]:
    used = _table(root / "proc/self/status")
    for kind, option, column in (
        (resource.RLIMIT_AS, "-v", "VmSize:"),
        (resource.RLIMIT_DATA, "-d", "VmData:"),
    ):
        limit, _ = resource.getrlimit(kind)
        if limit != resource.RLIM_INFINITY:
            yield Room(max(0, limit - 1024 * used.get(column, 0)), f"ulimit {option}")


def _groups(root: Path) -> Iterator[Room]:
    """Of each memory group from the process's own up to the root of its mount."""
    swap = 1024 * _table(root / "proc/meminfo").get("SwapFree:", 0)
    for line in _lines(root / "proc/self/cgroup"):
        number, controllers, path = line.split(":", 2)
        second = number == "0" and not controllers
        if not second and "memory" not in controllers.split(","):
            continue
        room = _room_v2 if second else _room_v1
        for folder in _folders(root, path, "cgroup2" if second else "cgroup"):
            left = room(folder, swap)
            if left is not None:
                yield Room(max(0, left), "the memory group (cgroup)")


def _folders(root: Path, path: str, kind: str) -> Iterator[Path]:
    for line in _lines(root / "proc/self/mountinfo"):
        mount, _, system = (part.split() for part in line.partition(" - "))
        if system[0] != kind or (kind == "cgroup" and "memory" not in system[2].split(",")):
            continue
        top = root / mount[4].lstrip("/")
        # In a container the mount may show a part of the tree alone: then its root is the top.
        inside = path.removeprefix(mount[3]) if path.startswith(mount[3]) else "/"
        folder = top / inside.lstrip("/")
        yield folder
        while folder != top and top in folder.parents:
            folder = folder.parent
            yield folder
        return


def _room_v2(folder: Path, swap: int) -> int | None:
    limit, used = _number(folder / "memory.max"), _number(folder / "memory.current")
    if limit is None or used is None:
        return None
    table = _table(folder / "memory.stat")
    cache = table.get("inactive_file", 0) + table.get("active_file", 0)
    most, swapped = _number(folder / "memory.swap.max"), _number(folder / "memory.swap.current")
    if most is not None:
        swap = min(swap, max(0, most - (swapped or 0)))
    return limit - max(0, used - cache) + swap


def _room_v1(folder: Path, swap: int) -> int | None:
    table = _table(folder / "memory.stat")
    cache = table.get("total_inactive_file", 0) + table.get("total_active_file", 0)

    def left(kind: str) -> int | None:
        limit = _number(folder / f"memory.{kind}limit_in_bytes")
        used = _number(folder / f"memory.{kind}usage_in_bytes")
        return None if limit is None or used is None else limit - max(0, used - cache)

    own, both = left(""), left("memsw.")
    if own is None:
        return None
    return own + swap if both is None else min(own + swap, both)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []


def _table(path: Path) -> dict[str, int]:
    """The first number of each line, by the line's first word."""
    words = (line.split() for line in _lines(path))
    return {row[0]: int(row[1]) for row in words if len(row) > 1 and row[1].isdigit()}


def _number(path: Path) -> int | None:
    """None for a file that is not there, and for "max"."""
    for line in _lines(path):
        return int(line) if line.strip().isdigit() else None
    return None
