"""How much memory there is: the tightest of all limits."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from seqexp.costs import memory_there
from seqexp.costs.memory_there import device_room, host_room

MB = 2**20


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with 1,000 MB and no limit by ulimit; a function that writes its files."""
    unlimited = resource.RLIM_INFINITY
    monkeypatch.setattr(memory_there.resource, "getrlimit", lambda kind: (unlimited, unlimited))

    def write(files: dict[str, object]) -> Path:
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{content}\n")
        return tmp_path

    write({"proc/meminfo": f"MemTotal: 9999999 kB\nMemAvailable: {1000 * 1024} kB\nSwapFree: 0 kB"})
    return write


def _group(folder: str, limit: object, used: int, cache: int = 0) -> dict[str, object]:
    return {
        f"{folder}/memory.max": limit,
        f"{folder}/memory.current": used * MB,
        f"{folder}/memory.stat": f"anon 5\ninactive_file {cache * MB}\nactive_file 0",
    }


def _mounted(root: str = "/") -> dict[str, object]:
    return {
        "proc/self/cgroup": "0::/job/step",
        "proc/self/mountinfo": "25 1 0:1 / / rw - ext4 /dev/root rw\n"
        f"30 25 0:26 {root} /sys/fs/cgroup rw - cgroup2 cgroup2 rw",
    }


def test_the_machine_s_memory_and_swap(machine):
    assert host_room(machine({})) == (1000 * MB, "the machine's memory")
    files = {"proc/meminfo": f"MemAvailable: {1000 * 1024} kB\nSwapFree: {24 * 1024} kB"}
    assert host_room(machine(files)) == (1024 * MB, "the machine's memory")


def test_the_tightest_group_up_the_hierarchy(machine):
    files = _mounted() | _group("sys/fs/cgroup/job/step", "max", 5)
    files |= _group("sys/fs/cgroup/job", 500 * MB, 300, cache=100)
    assert host_room(machine(files)) == (300 * MB, "the memory group (cgroup)")
    files = _group("sys/fs/cgroup/job/step", 100 * MB, 200)
    assert host_room(machine(files)) == (0, "the memory group (cgroup)")


def test_a_container_sees_a_part_of_the_tree(machine):
    files = _mounted("/job/step") | _group("sys/fs/cgroup", 400 * MB, 100)
    assert host_room(machine(files)) == (300 * MB, "the memory group (cgroup)")


def test_groups_of_version_1(machine):
    files: dict[str, object] = {
        "proc/self/cgroup": "4:memory:/job\n1:cpu:/other\n0::/",
        "proc/self/mountinfo": "30 25 0:26 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
        "31 25 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory",
    }
    for folder, limit in (("memory", 9223372036854771712), ("memory/job", 500 * MB)):
        files |= {
            f"sys/fs/cgroup/{folder}/memory.limit_in_bytes": limit,
            f"sys/fs/cgroup/{folder}/memory.usage_in_bytes": 300 * MB,
            f"sys/fs/cgroup/{folder}/memory.stat": f"cache 1\ntotal_inactive_file {50 * MB}",
        }
    assert host_room(machine(files)) == (250 * MB, "the memory group (cgroup)")


@pytest.mark.parametrize(
    ("kind", "column", "option"),
    [(resource.RLIMIT_AS, "VmSize", "-v"), (resource.RLIMIT_DATA, "VmData", "-d")],
)
def test_ulimit(machine, monkeypatch, kind, column, option):
    limits = {kind: 700 * MB}
    monkeypatch.setattr(
        memory_there.resource,
        "getrlimit",
        lambda asked: (limits.get(asked, resource.RLIM_INFINITY), resource.RLIM_INFINITY),
    )
    root = machine({"proc/self/status": f"Name: x\n{column}:\t {200 * 1024} kB"})
    assert host_room(root) == (500 * MB, f"ulimit {option}")


def test_a_system_that_says_nothing(machine, tmp_path):
    assert host_room(tmp_path / "nowhere") is None


def test_this_machine_has_some():
    room = host_room()
    assert room is not None and room.bytes > 0


def test_an_accelerator_s_own_memory():
    class Device:
        device_kind = "a card"

        def __init__(self, stats):
            self.memory_stats = lambda: stats

    stats = {"bytes_limit": 100, "bytes_in_use": 30}
    assert device_room(Device(stats)) == (70, "the memory of a card")
    assert device_room(Device(None)) is None
