"""The data of a plan: loaded and hashed once, and whatever goes wrong in one line."""

from __future__ import annotations

import resource

import numpy as np
import pytest

from seqexp.costs import memory_there
from seqexp.costs.memory_there import Room
from seqexp.runs.identity import recorded_identity
from seqexp.sweeps.groups import device_kind, plan
from seqexp.tasks.adding import Adding
from seqexp.tasks.digits import SequentialDigits
from tests.sweeps.tiny import TINY, seqexp
from tests.test_configs import point


@pytest.mark.parametrize("method", ["load", "data_hashes"])
@pytest.mark.parametrize("error", [ValueError, KeyError, RuntimeError, OSError])
def test_any_error_of_a_task_s_data_is_one_line(tmp_path, monkeypatch, capsys, method, error):
    def mistaken(self):
        raise error("odd\nand more")

    monkeypatch.setattr(SequentialDigits, method, mistaken)
    assert seqexp("run", *TINY, "model=rnn", f"runs_dir={tmp_path}") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "SequentialDigits cannot" in line and "odd" in line
    assert error is OSError or f": {error.__name__}: " in line
    assert not list(tmp_path.iterdir())


def test_a_record_of_other_batches_is_another_run():
    """Since length buckets fill their batches otherwise, their earlier records stand apart."""
    sizes = [f"task.{name}_examples={count}" for name, count in (("train", 64), ("valid", 8))]
    points = [point("model=rnn", "task=order", *sizes, f"task.buckets={n}") for n in (1, 2)]
    one_length, buckets = [group.members[0] for group in plan(points)[0]]
    assert "training batches" not in one_length.data_hashes, "it keeps its identity"
    assert buckets.data_hashes["training batches"] == "length buckets, 2"
    now, earlier = (
        recorded_identity(
            buckets.point.config, {"data_hashes": hashes, "device_kind": device_kind()}
        )
        for hashes in (buckets.data_hashes, one_length.data_hashes)
    )
    assert now and earlier
    assert now.run == buckets.info.id != earlier.run and now.group != earlier.group


def test_check_says_so_too(monkeypatch, capsys):
    def mistaken(self):
        raise ValueError("odd")

    monkeypatch.setattr(SequentialDigits, "load", mistaken)
    assert seqexp("check", *TINY, "model=rnn") == 2
    assert "SequentialDigits cannot make its data: ValueError: odd" in capsys.readouterr().err


def _takes(self):
    return np.ones(10**9, np.uint8)  # The system gives it, and kills a job for it that has less.


@pytest.mark.parametrize(
    ("load", "length"), [(_takes, 6), (Adding.load, 10**9)], ids=["by numpy", "by jax"]
)
def test_data_larger_than_memory_is_one_line(tmp_path, monkeypatch, capsys, load, length):
    limit = resource.getrlimit(resource.RLIMIT_DATA)
    monkeypatch.setattr(memory_there, "host_room", lambda: Room(500 * 10**6, "this job"))
    monkeypatch.setattr(Adding, "load", load)
    arguments = ["run", *TINY, "task=adding", "model=rnn", f"runs_dir={tmp_path}"]
    assert seqexp(*arguments, f"task.length={length}") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "Adding cannot hold its data in memory: " in line
    assert "fewer or shorter examples" in line
    assert not list(tmp_path.iterdir())
    assert resource.getrlimit(resource.RLIMIT_DATA) == limit


def test_data_is_hashed_once_for_all_points(monkeypatch):
    whole, asked = SequentialDigits.data_hashes, []
    monkeypatch.setattr(
        SequentialDigits, "data_hashes", lambda self: asked.append(self) or whole(self)
    )
    _, ids = plan([point(*TINY, "model=rnn", f"seed={seed}") for seed in range(3)])
    assert len(set(ids)) == 3 and len(asked) == 1
