"""`match=step_time`: widths found by measurement, kept, and the same when resumed."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from seqexp.matching.budgets import AXES
from seqexp.runs.locks import Locks
from seqexp.runs.store import read_json
from seqexp.sweeps import execute, kept_widths
from seqexp.types import SeqexpError
from tests.sweeps.matched import TINY_MATCH, T, configured, matched
from tests.sweeps.tiny import runs, seqexp
from tests.test_configs import point


class Clock:
    """Stands for timing a training step: seconds by a formula, and which widths were asked."""

    def __init__(self, monkeypatch, scale: float = 1.0):
        self.scale, self.asked = scale, []
        monkeypatch.setitem(AXES, "step_time", AXES["step_time"]._replace(cost=self))

    def __call__(self, experiment, load, batch_devices):
        width = experiment.model.keywords["features"]
        self.asked.append(width)
        gates = {"Elman": 1, "LSTM": 4}[experiment.model.keywords["cell"].func.__name__]
        noise = 1 + 0.02 * (-1) ** len(self.asked)
        return self.scale * noise * 1e-6 * (100 + gates * width**2)


BY_TIME = ["match=step_time", "match.budget=200e-6", "match.multiple=1"]


@pytest.mark.full
def test_a_measured_width_is_kept_and_resuming_trains_the_same_points(
    tmp_path, monkeypatch, capsys
):
    asked = [*TINY_MATCH, "model=rnn", *BY_TIME, f"runs_dir={tmp_path}"]
    points = [point(*asked, f"seed={seed}") for seed in (0, 1)]
    clock = Clock(monkeypatch)
    assert [outcome.status for outcome in execute(points)] == ["finished"] * 2
    first = runs(tmp_path / "a")
    assert len(first) == 2
    for run in first.values():
        # 100 + H^2 is 200 at 10; a tenth either way is 180 to 220.
        assert 9 <= run["match"]["width"] == run["config"]["model"]["features"] <= 11
        assert run["match"]["reached"] == pytest.approx(200e-6, rel=0.1)
    said = capsys.readouterr().err
    assert "rnn on digits: timing training steps" in said
    assert f"{len(clock.asked)} timings" in said
    assert "measured again it is +" in said, "a real step takes longer than that clock says"
    kept = read_json(tmp_path / "a" / "widths.json")
    assert kept is not None
    (entry,) = kept.values()
    assert [width for width, _ in entry["timings"]] == clock.asked
    assert {name: entry[name] for name in ("by", "budget", "width", "reached")} == {
        name: run["match"][name] for name in ("by", "budget", "width", "reached")
    }

    # The machine is twice as fast today, and one of the runs was cut short.
    name, run = next(iter(first.items()))
    (tmp_path / "a" / name / "run.json").write_text(json.dumps({**run, "status": "running"}))
    clock = Clock(monkeypatch, scale=0.5)
    assert sorted(outcome.status for outcome in execute(points)) == ["finished", "skipped"]
    assert clock.asked == [] and "kept" in capsys.readouterr().err
    assert runs(tmp_path / "a") == first


def test_a_measured_width_is_another_where_the_question_is(tmp_path, monkeypatch, capsys):
    def measures(*overrides: str) -> bool:
        clock = Clock(monkeypatch)
        matched(*BY_TIME, f"runs_dir={tmp_path}", "study=a", *overrides, model="rnn")
        return bool(clock.asked)

    assert measures()
    assert not measures()
    assert not measures("seed=1", "optimizer.learning_rate=0.1", "trainer.steps=2")
    assert not measures("match.tolerance=0.2")
    path = tmp_path / "a" / "widths.json"
    (key,) = (kept := json.loads(path.read_text()))
    path.write_text(json.dumps({key: {**kept[key], "reached": 185e-6}}))
    assert not measures()
    assert measures("match.tolerance=0.05"), "what was kept is out of the tighter tolerance"
    assert measures("match.budget=205e-6"), "what was kept is near, but for another budget"
    assert measures("trainer.batch_size=8")
    assert measures("optimizer=sgd")
    assert measures("model.depth=2")
    assert measures("study=b"), "a study keeps its own"
    assert not measures(), "and all of what it measured"
    monkeypatch.setattr(kept_widths, "device_kind", lambda: "NVIDIA H100")
    assert measures()
    capsys.readouterr()
    monkeypatch.setattr(kept_widths, "source_hash", lambda: "0123456789abcdef")
    assert not measures()
    assert "kept, of other code" in capsys.readouterr().err
    for damaged, said in (('{"a"', "widths.json is not JSON"), ("{}", None)):
        (tmp_path / "a" / "widths.json").write_text(damaged)
        if said:
            with pytest.raises(SeqexpError, match=said):
                measures()
        else:
            assert measures()


def test_a_time_that_cannot_be_met_is_refused_and_not_kept(tmp_path, monkeypatch, capsys):
    Clock(monkeypatch)
    asked = ["model=rnn,lstm", *BY_TIME, "match.budget=50e-6", f"runs_dir={tmp_path}"]
    assert seqexp("sweep", *TINY_MATCH, *asked) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert "rnn on digits: the nearest to a budget of 0.05 ms a step is 0." in error
    assert "lstm on digits: the nearest to a budget of 0.05 ms a step is 0." in error
    assert not runs(tmp_path / "a") and not (tmp_path / "a" / "widths.json").exists()


def test_of_two_sweeps_one_measures_and_the_other_waits_for_its_width(
    tmp_path, monkeypatch, capsys
):
    """Another width would be another run, trained twice."""
    clock = Clock(monkeypatch)
    asked = [*BY_TIME, f"runs_dir={tmp_path}", "study=a"]
    with Locks(tmp_path / "a") as other:
        other.take("widths")

        def measure(seconds):
            if (tmp_path / "a" / ".locks" / "widths").exists():
                assert not clock.asked
                other.release("widths")
                matched(*asked, model="rnn")

        monkeypatch.setattr("seqexp.runs.locks.time.sleep", measure)
        second = matched(*asked, model="rnn")
    times = len(clock.asked)
    first = matched(*asked, model="rnn")
    assert second == first and len(clock.asked) == times
    said = capsys.readouterr().err
    assert said.count(f"{times} timings") == 1 and "waiting: process" in said


@pytest.mark.full
def test_a_step_is_timed_for_real():
    """3 T products of [64, 512] and [512, 512] take longer than at a teraFLOP a second."""
    experiment = replace(configured("model.features=512", model="rnn").build(), batch_size=64)
    seconds = AXES["step_time"].cost(experiment, experiment.task.load, 1)
    assert 3 * T * 2 * 64 * 512 * 512 / 1e12 < seconds < 60
