"""Energy counters, as the kernel shows them in a folder."""

from __future__ import annotations

import pytest

from seqexp.costs import joules_since, read_counters
from seqexp.costs.energy import own_counters
from seqexp.types import SeqexpError


def zone(folder, path, name, energy, span=1_000_000):
    (folder / path).mkdir(parents=True)
    (folder / path / "name").write_text(f"{name}\n")
    (folder / path / "energy_uj").write_text(f"{energy}\n")
    (folder / path / "max_energy_range_uj").write_text(f"{span}\n")
    return folder / path / "energy_uj"


def test_packages_are_summed_and_their_parts_left_out(tmp_path):
    first = zone(tmp_path, "intel-rapl:0", "package-0", 100)
    second = zone(tmp_path, "intel-rapl:1", "package-1", 900_000)
    cores = zone(tmp_path, "intel-rapl:0:0", "core", 50)
    platform = zone(tmp_path, "intel-rapl:2", "psys", 70)
    before = read_counters(tmp_path)
    assert sorted(before.values()) == [100, 900_000]
    first.write_text("2100")
    second.write_text("100")  # from its end, a million, on from 0
    cores.write_text("99999")
    platform.write_text("99999")
    assert joules_since(before) == pytest.approx((2_000 + 100_100) * 1e-6)


def test_where_nothing_is_counted_nothing_is_said(tmp_path):
    assert read_counters(tmp_path / "none") == {}
    assert joules_since({}) is None


def test_a_counter_that_cannot_be_read_is_not_there(tmp_path):
    counter = zone(tmp_path, "intel-rapl:0", "package-0", 100)
    before = read_counters(tmp_path)
    counter.unlink()
    assert read_counters(tmp_path) == {}
    assert joules_since(before) is None


def test_a_process_with_some_cores_is_not_told_the_energy_of_all(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda process: {0}, raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    with pytest.raises(SeqexpError, match="a part of their cores"):
        own_counters()
