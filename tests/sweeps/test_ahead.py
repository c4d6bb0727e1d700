"""executor.compile_ahead=true: a group is compiled while the one before trains, and nothing else
changes."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from seqexp.runs import attempts
from seqexp.runs.attempts import Attempt
from seqexp.runs.locks import Locks
from seqexp.runs.store import read_json
from seqexp.sweeps import group_run
from seqexp.training.programs import Programs
from tests.full import full
from tests.sweeps.tiny import TINY, deterministic, runs, seqexp

SWEEP = ["sweep", *TINY, "model=rnn,gru,mgu", "seed=0,1", "study=a"]
AHEAD = "executor.compile_ahead=true"


class Watched:
    """What compiles ahead and what measures, in the order in which they begin."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.began: list[str] = []
        self.overlapped = False
        compile_ahead, measure = Programs.compile_ahead, group_run.measure_costs
        self.compiling = threading.Event()

        def watched_compile(experiment, *rest):
            self.compiling.set()
            self.began.append("compiles")
            try:
                return compile_ahead(experiment, *rest)
            finally:
                self.compiling.clear()

        def watched_measure(*arguments):
            self.began.append("measures")
            self.overlapped |= self.compiling.is_set()
            found = measure(*arguments)
            self.overlapped |= self.compiling.is_set()
            return found

        patch.setattr(Programs, "compile_ahead", watched_compile)
        patch.setattr(group_run, "measure_costs", watched_measure)


def compile_seconds(study: Path) -> dict[str, set[float | None]]:
    """What the ledgers of each model say."""
    found: dict[str, set[float | None]] = {}
    for id, run in runs(study).items():
        cost = read_json(study / id / "cost.json") or {}
        found.setdefault(run["model"], set()).add(cost["compile_seconds"])
        why = cost["reasons"].get("compile_seconds", "")
        assert ("executor.compile_ahead=false measures it" in why) is (
            cost["compile_seconds"] is None
        )
    return found


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Path:
    """The sweep, group after group."""
    folder = tmp_path_factory.mktemp("plain")
    assert seqexp(*SWEEP, f"runs_dir={folder}") == 0
    return folder / "a"


def test_all_groups_but_the_first_are_compiled_ahead_and_train_as_ever(
    plain, tmp_path, monkeypatch, capsys
):
    watched = Watched(monkeypatch)
    assert seqexp(*SWEEP, AHEAD, f"runs_dir={tmp_path}") == 0
    assert watched.began == ["measures", "compiles", "measures", "compiles", "measures"]
    assert not watched.overlapped
    assert deterministic(tmp_path / "a") == deterministic(plain)
    first, *others = (compile_seconds(tmp_path / "a")[model] for model in ("rnn", "gru", "mgu"))
    assert None not in first and others == [{None}, {None}]
    said = capsys.readouterr().err
    assert said.count("compiled ahead") == 2 and "costs not known" not in said
    assert all(None not in seconds for seconds in compile_seconds(plain).values())


def fail(*_):
    raise SystemExit(7)  # As an own layer might.


class NoThread(threading.Thread):
    def start(self):
        if self.name == "seqexp-ahead":
            raise RuntimeError("can't start new thread")
        super().start()


@pytest.mark.parametrize(
    ("where", "name", "broken"),
    [(Programs, "compile_ahead", fail), full(threading, "Thread", NoThread)],
)
def test_where_it_fails_the_group_is_compiled_in_its_turn(
    plain, tmp_path, monkeypatch, where, name, broken
):
    monkeypatch.setattr(where, name, broken)
    assert seqexp(*SWEEP, AHEAD, f"runs_dir={tmp_path}") == 0
    assert deterministic(tmp_path / "a") == deterministic(plain)
    assert all(None not in seconds for seconds in compile_seconds(tmp_path / "a").values())


@pytest.mark.full
def test_what_is_dropped_is_compiled_again(plain, tmp_path, monkeypatch):
    monkeypatch.setattr("seqexp.training.compiled.drop_programs.__defaults__", (-1,))
    assert seqexp(*SWEEP, AHEAD, f"runs_dir={tmp_path}") == 0
    assert deterministic(tmp_path / "a") == deterministic(plain)
    assert all(None not in seconds for seconds in compile_seconds(tmp_path / "a").values())


@pytest.mark.full
def test_beside_members_whose_process_died_nothing_is_compiled(plain, tmp_path, monkeypatch):
    """If it dies again, that is their own doing."""
    for id, run in runs(plain).items():
        if run["model"] != "mgu":
            (tmp_path / "a" / id).mkdir(parents=True)
            attempts.write(tmp_path / "a" / id, Attempt(0, 0, "training", None))
    watched = Watched(monkeypatch)
    assert seqexp(*SWEEP, AHEAD, f"runs_dir={tmp_path}") == 0
    # Those that died come last: mgu, and the first of them beside it.
    assert watched.began == ["measures", "compiles", "measures", "measures"]
    assert deterministic(tmp_path / "a") == deterministic(plain)


def test_what_another_process_trains_is_not_compiled(plain, tmp_path, monkeypatch):
    watched = Watched(monkeypatch)
    held = {id for id, run in runs(plain).items() if run["model"] == "gru"}
    with Locks(tmp_path / "a") as locks:
        assert all(locks.take(id) is None for id in held)
        assert seqexp(*SWEEP, AHEAD, f"runs_dir={tmp_path}") == 0
    assert watched.began == ["measures", "compiles", "measures"]
    seconds = compile_seconds(tmp_path / "a")
    assert seconds.keys() == {"rnn", "mgu"} and seconds["mgu"] == {None}
