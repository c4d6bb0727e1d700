"""What planning does for each point, and for each finished run, does not grow with their number."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pytest

from seqexp.commands.composition import points_of
from seqexp.commands.overrides import read
from seqexp.runs import store
from seqexp.sweeps import execute, groups, names
from seqexp.sweeps.data import Data
from seqexp.sweeps.groups import plan
from seqexp.sweeps.widths import match_widths
from seqexp.types import SeqexpError
from tests.sweeps import large_study
from tests.sweeps.large_study import simulate, write_records
from tests.sweeps.tiny import TINY

KNOWN = sys.modules["seqexp.runs.known"]

SWEEPS = [
    "model=rnn,gru seed=0,1 optimizer.learning_rate=1e-3,2e-3",
    "model=gru optimizer.clip_norm=null,1.0 seed=1,0 trainer.batch_devices=auto",
    "model=rnn task=copy_memory model.pooling=mean,last seed=0,1",
    "model=rnn,lstm match=params match.budget=3000 match.tolerance=0.2 seed=0,1",
]


def points(tmp_path: Path, sweep: str):
    words = [word for word in TINY if word.split("=")[0] not in sweep]
    return points_of(read([*words, *sweep.split(), f"runs_dir={tmp_path}"], "sweep"))


@pytest.mark.parametrize("sweep", SWEEPS)
def test_points_planned_together_are_the_runs_that_each_is_by_itself(sweep, tmp_path):
    data = Data()
    found = match_widths(points(tmp_path, sweep), data)
    together, ids = plan(found, data)
    members = {member.info.id: member for group in together for member in group.members}
    # An option without effect makes no other run.
    assert len(set(ids)) == len(found) // (2 if "pooling" in sweep else 1)
    for point, id in zip(found, ids, strict=True):
        ((alone,), (own,)) = plan([point], data)
        assert own == id
        (one,) = alone.members
        member = members[id]
        assert one.info.config == member.info.config and one.hyper == member.hyper
        assert one.info.group == member.info.group and one.data_hashes == member.data_hashes
        assert one.point.match == member.point.match and one.directory == member.directory
        assert member.info.name.endswith(f"seed {member.info.seed}")


def test_a_seed_out_of_range_is_told_for_its_run_alone(tmp_path):
    with pytest.raises(SeqexpError, match="^gru digits seed -1: seed must be a whole"):
        plan(points(tmp_path, "model=gru seed=0,-1,1"))


def test_what_seeds_share_is_found_out_once(tmp_path, monkeypatch):
    counts: Counter[str] = Counter()

    def count(module, name):
        function = getattr(module, name)

        def counted(*arguments):
            counts[name] += 1
            return function(*arguments)

        monkeypatch.setattr(module, name, counted)

    for name in ("canonical", "explicit_nulls", "group_identity", "identities", "foreign_code"):
        count(groups, name)
    for name in ("without_effect", "plain", "checked"):
        count(groups, name)
    for name in ("flatten", "canonical"):
        count(names, name)
    took = []
    for seeds in (3, 30):
        counts.clear()
        sweep = f"model=rnn seed=range(0,{seeds}) optimizer.learning_rate=1e-3,2e-3"
        _, ids = plan(points(tmp_path, sweep))
        assert len(set(ids)) == 2 * seeds
        took.append(dict(counts))
    assert took[0] == took[1] and took[0]["checked"] == 1


def test_each_finished_run_is_read_as_often_however_many_there_are(tmp_path, monkeypatch):
    counts: Counter[str] = Counter()
    read_bytes, identity = store._bytes_of, KNOWN.identity

    def counted(path):
        counts["files"] += 1
        return read_bytes(path)

    def hashed(*arguments):
        counts["identities"] += 1
        return identity(*arguments)

    monkeypatch.setattr(store, "_bytes_of", counted)
    monkeypatch.setattr(KNOWN, "identity", hashed)
    took = []
    for size in (4, 8, 12):
        place = tmp_path / str(size)
        found = large_study.points(place, size)
        write_records([member for group in plan(found)[0] for member in group.members])
        counts.clear()
        assert {outcome.status for outcome in execute(found)} == {"skipped"}
        took.append(dict(counts))
    assert [each["identities"] for each in took] == [4, 8, 12]
    assert took[1]["files"] - took[0]["files"] == took[2]["files"] - took[1]["files"]


@pytest.mark.full
def test_a_large_study_is_simulated(tmp_path, capsys):
    simulate(tmp_path, planned=2000, finished=40)
    told = capsys.readouterr().out
    for part in ("composing", "planning", "writing the plan", "skipping", "status", "report"):
        assert f"{part}: " in told
