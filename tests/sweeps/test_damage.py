"""One member's damaged file is that member's alone: it begins anew, or is named and left alone."""

from __future__ import annotations

import json
import shutil

import pytest

from seqexp.runs import checkpoint
from seqexp.runs.record import RunRecord
from seqexp.runs.schema import WEIGHTS
from seqexp.runs.store import read
from seqexp.sweeps import execute, group_run
from tests.full import full
from tests.hasty import no_costs
from tests.sweeps.tiny import TINY, deterministic, runs
from tests.test_configs import point

pytestmark = pytest.mark.usefixtures("free")


def _garbage_line(path):
    lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    path.write_bytes(b"".join([*lines[:1], b"garbage\n", *lines[1:]]))


def _torn(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2] if path.exists() else b"{")


def _other_json(path):
    path.write_text("[5]\n")


def _folder(path):
    path.unlink(missing_ok=True)
    (path / "inside").mkdir(parents=True)


def _loop(path):
    """A link to itself can't be read, not even by root."""
    path.unlink(missing_ok=True)
    path.symlink_to(path)


FILES = (
    "metrics.jsonl",
    "timing.jsonl",
    "samples.jsonl",
    "manifest.json",
    "cost.json",
    "run.json",
    "checkpoint.msgpack",
)
SEEDS = 1 + len(FILES)


def _points(folder, *more):
    place = [*TINY, "model=rnn", f"runs_dir={folder}", "study=a", *more]
    return [point(*place, f"seed={seed}") for seed in range(SEEDS)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Finished runs; and the same, interrupted after two evaluations of three."""
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch, no_costs():
        execute(_points(folder / "finished"))
        save = group_run._save

        def interrupted(program, opened, interval, *others):
            save(program, opened, interval, *others)
            if max(interval.steps) == 6:
                raise KeyboardInterrupt

        patch.setattr(group_run, "_save", interrupted)
        with pytest.raises(KeyboardInterrupt):
            execute(_points(folder / "interrupted"))
    return folder


@pytest.fixture(params=[_garbage_line, _torn, full(_other_json), full(_folder), full(_loop)])
def damaged(request, whole, tmp_path):
    """Copies whole records, and damages one file of each run but the first; gives what it did."""

    def copy(which):
        shutil.copytree(whole / which / "a", tmp_path / "a")
        by_seed = {run["seed"]: name for name, run in runs(tmp_path / "a").items()}
        for seed, name in enumerate(FILES, start=1):
            request.param(tmp_path / "a" / by_seed[seed] / name)
        return request.param

    return copy


def test_what_is_interrupted_and_damaged_begins_anew(damaged, tmp_path, monkeypatch, capsys):
    """Its siblings go on from where they were."""
    damage, resumed = damaged("interrupted"), {}

    def watched(group, opened, *rest):
        resumed.update({member.planned.info.seed: member.step for member in opened})

    monkeypatch.setattr(group_run, "_train_group", watched)
    execute(_points(tmp_path))
    expected = {seed: 0 for seed in range(SEEDS)} | {0: 6}
    expected[1 + FILES.index("checkpoint.msgpack")] = 3  # There is one before it.
    said = capsys.readouterr().err
    if damage is _torn:  # A file that this task's runs don't have, with no whole line.
        expected[1 + FILES.index("samples.jsonl")] = 6
    assert resumed == expected
    assert said.count("begins anew") == SEEDS - len([s for s in expected.values() if s])


def test_all_ends_as_if_nothing_had_happened(whole, tmp_path):
    shutil.copytree(whole / "interrupted" / "a", tmp_path / "a")
    for folder, name in zip(sorted((tmp_path / "a").glob("*/")), FILES, strict=False):
        _garbage_line(folder / name)
    execute(_points(tmp_path))
    assert deterministic(tmp_path / "a") == deterministic(whole / "finished" / "a")


def test_what_is_finished_and_damaged_is_named_and_left_alone(damaged, tmp_path, monkeypatch):
    damage, trained = damaged("finished"), []
    monkeypatch.setattr(
        group_run,
        "_train_group",
        lambda group, opened, *_: trained.extend(m.planned.info.seed for m in opened),
    )
    outcomes = execute(_points(tmp_path))
    torn = {"metrics.jsonl": "its metrics end at", "timing.jsonl": "its timing.jsonl lacks"}
    for seed, name in enumerate(FILES, start=1):
        if name == "run.json":  # It tells no longer that the run is finished.
            assert trained == [seed]
            continue
        assert outcomes[seed].status == "skipped"
        said = torn.get(name, f"its {name} is damaged") if damage is _torn else f"its {name} is"
        harmless = name == "checkpoint.msgpack" or (name, damage) == ("samples.jsonl", _torn)
        assert (said in outcomes[seed].detail) != harmless, (name, outcomes[seed].detail)
    assert outcomes[0].status == "skipped" and "rerun" not in outcomes[0].detail


@pytest.mark.full
def test_a_sibling_s_checkpoint_is_not_trained_on(whole, tmp_path):
    """Before, the run went on with its sibling's parameters, and reported that."""
    shutil.copytree(whole / "interrupted" / "a", tmp_path / "a")
    by_seed = {run["seed"]: name for name, run in runs(tmp_path / "a").items()}
    for name in (checkpoint.CURRENT, checkpoint.PREVIOUS, "metrics.jsonl", "timing.jsonl"):
        shutil.copy(tmp_path / "a" / by_seed[0] / name, tmp_path / "a" / by_seed[1] / name)
    run = tmp_path / "a" / by_seed[2] / "run.json"
    run.write_text(json.dumps({**json.loads(run.read_text()), "name": "x", "score": {}}))
    execute(_points(tmp_path))
    assert deterministic(tmp_path / "a") == deterministic(whole / "finished" / "a")
    weights = checkpoint.read(tmp_path / "a" / by_seed[1] / WEIGHTS)
    assert weights.run == by_seed[1]


@pytest.mark.full
@pytest.mark.parametrize("lost", [0, full(1)])
def test_steps_that_are_not_those_due_are_not_resumed(whole, tmp_path, lost):
    shutil.copytree(whole / "interrupted" / "a", tmp_path / "a")
    path = next((tmp_path / "a").glob("*/metrics.jsonl"))
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[1 - lost])
    execute(_points(tmp_path))
    assert deterministic(tmp_path / "a") == deterministic(whole / "finished" / "a")


@pytest.mark.full
def test_a_member_whose_folder_is_gone_fails_alone(whole, tmp_path, monkeypatch):
    """And one whose disk is full."""
    append = RunRecord.log
    full = []

    def log(self, record, seconds):
        if record["step"] == 6 and self.run["seed"] == 1:
            shutil.rmtree(self.directory)
        if record["step"] == 6 and self.run["seed"] == 2:
            full.append(self.directory.name)
            raise OSError(28, "No space left on device")
        append(self, record, seconds)

    monkeypatch.setattr(RunRecord, "log", log)
    outcomes = execute(_points(tmp_path))
    assert [outcome.status for outcome in outcomes] == [
        "finished",
        *["failed"] * 2,
        *["finished"] * (SEEDS - 3),
    ]
    assert "No such file or directory" in outcomes[1].detail
    assert "No space left on device" in outcomes[2].detail
    (name,) = full
    assert runs(tmp_path / "a")[name]["error"] == outcomes[2].detail
    assert [line["step"] for line in read(tmp_path / "a" / name / "metrics.jsonl")] == [3]
    monkeypatch.undo()
    assert {outcome.status for outcome in execute(_points(tmp_path))} == {"finished", "skipped"}
    assert deterministic(tmp_path / "a") == deterministic(whole / "finished" / "a")


@pytest.mark.full
def test_a_member_whose_opening_fails_in_an_unforeseen_way_fails_alone(tmp_path, monkeypatch):
    """It used to end the sweep. And Control-C there is told to the mirrors that are open."""
    create, killed = RunRecord.create, []

    def creating(error):
        def create_or_not(runs_dir, info, *rest):
            if info.seed == 1:
                raise error
            return create(runs_dir, info, *rest)

        return create_or_not

    monkeypatch.setattr(group_run, "_train_group", lambda *_: None)
    monkeypatch.setattr(RunRecord, "create", creating(TypeError("odd")))
    assert execute(_points(tmp_path))[1].detail == "TypeError: odd"
    monkeypatch.setattr(RunRecord, "interrupt", lambda record: killed.append(record.run["seed"]))
    monkeypatch.setattr(RunRecord, "create", creating(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        execute(_points(tmp_path))
    assert killed == [0]


def test_a_member_that_can_t_be_opened_fails_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(group_run, "_train_group", lambda *_: None)
    execute(_points(tmp_path))
    first, second, *_ = sorted((tmp_path / "a").glob("*/run.json"))
    shutil.rmtree(first.parent)
    first.parent.write_text("a file where the run's folder should be")
    by_id = {o.directory.name: o for o in execute(_points(tmp_path))}
    assert by_id[first.parent.name].status == "failed"
    assert "File exists" in by_id[first.parent.name].detail
    assert json.loads(second.read_text())["status"] == "running"
