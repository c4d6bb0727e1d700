"""The slice width: the fastest of those tried, recorded, and taken up again."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from seqexp.costs import measure
from seqexp.costs.measure import TrainingCost, measure_costs
from seqexp.costs.timing import Timing
from seqexp.runs.store import read_json, write_json_atomic
from seqexp.sweeps import group_run
from seqexp.training import Program
from tests.sweeps.tiny import TINY, runs, seqexp
from tests.training.small import HYPERS, adding, experiment, row_of


@pytest.fixture(scope="module")
def group():
    """A program of five members on one device, its data, and the members as they start."""
    small = experiment(adding())
    splits = small.task.load()
    program = Program.of(small, splits, [*HYPERS, *HYPERS[:2]], row_of(1))
    return program, splits, program.take(program.init())


def pretend(monkeypatch, times: dict[int, float], fits: int = 99) -> None:
    """Let a step of a slice take so long, by its width; what is wider than fits has no memory."""

    def cost(program, fresh):
        width = program.slices.width
        if width > fits:
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: out of memory")
        seconds = times[width] / width
        return TrainingCost(Timing(seconds, seconds, seconds, 1), float(width), 10 * width)

    monkeypatch.setattr(measure, "training_cost", cost)


def test_the_fastest_width_is_taken_with_the_costs_that_are_its_own(group, monkeypatch):
    program, splits, fresh = group
    pretend(monkeypatch, {1: 1.0, 2: 1.2, 4: 3.0, 5: 3.5})
    best, ledger = measure_costs(program, fresh, splits, [1, 2, 4, 5])
    # Five members: 5 x 1.0, 3 x 1.2, 2 x 3.0, 1 x 3.5.
    assert (best.slices.width, ledger.slice_width) == (5, 5)
    assert ledger.step_seconds == 3.5 / 5
    assert ledger.step_seconds_at_width == {"1": 1.0, "2": 0.6, "4": 0.75, "5": 0.7}
    assert (ledger.compile_seconds, ledger.program_bytes) == (5.0, 50)
    assert ledger.tokens_per_second == pytest.approx(4 * 6 / 0.7)


def test_where_nothing_gains_members_stay_one_by_one(group, monkeypatch):
    program, splits, fresh = group
    pretend(monkeypatch, {1: 1.0, 2: 2.0, 4: 4.0, 5: 5.0})
    best, ledger = measure_costs(program, fresh, splits, [1, 2, 4, 5])
    assert (best.slices.width, ledger.slice_width) == (1, 1)


def test_what_does_not_fit_into_memory_is_not_taken(group, monkeypatch):
    program, splits, fresh = group
    pretend(monkeypatch, {1: 1.0, 2: 1.0, 4: 1.0, 5: 1.0}, fits=2)
    best, ledger = measure_costs(program, fresh, splits, [1, 2, 4, 5])
    assert best.slices.width == 2
    assert ledger.step_seconds_at_width == {"1": 1.0, "2": 0.5}
    pretend(monkeypatch, {}, fits=0)
    with pytest.raises(jax.errors.JaxRuntimeError, match="RESOURCE_EXHAUSTED"):
        measure_costs(program, fresh, splits, [1, 2])


@pytest.mark.full
def test_a_slices_time_is_shared_by_the_members_that_worked_in_it(group, monkeypatch):
    """The real loop, by a clock at which a run of whatever length takes half a second."""
    program, splits, fresh = group
    before = [np.array(leaf) for leaf in jax.tree.leaves(fresh)]
    at_work = []

    def half_a_second(run, steps, repeats):
        done = np.array([given.measured.sums["loss"].weight for given in run(steps)])
        assert set(done[done > 0]) == {steps * program.experiment.batch_size}
        at_work.append(int((done > 0).sum()))
        return Timing(0.5, 0.5, 0.5, repeats)

    monkeypatch.setattr(measure, "seconds", half_a_second)
    best, ledger = measure_costs(program, fresh, splits, [1, 5])
    assert at_work == [1, 1, 5, 5]
    assert ledger.step_seconds_at_width == {"1": 0.5, "5": 0.1}
    assert (best.slices.width, ledger.step_seconds) == (5, 0.1)
    for leaf, old in zip(jax.tree.leaves(fresh), before, strict=True):
        np.testing.assert_array_equal(leaf, old)


@pytest.mark.full
def test_a_sweep_says_and_records_the_width_and_goes_on_with_it(tmp_path, monkeypatch, capsys):
    """As on an accelerator; started again, it keeps the width and measures nothing."""
    monkeypatch.setattr(group_run, "slice_widths", lambda members, mesh: [1, 2])
    pretend(monkeypatch, {1: 1.0, 2: 1.0})
    widths = []
    train = group_run.train

    def watched(program, states, standings):
        widths.append(program.slices.width)
        return train(program, states, standings)

    monkeypatch.setattr(group_run, "train", watched)
    arguments = ["sweep", *TINY, "model=rnn", "seed=0,1,2,3", f"runs_dir={tmp_path}", "study=a"]
    assert seqexp(*arguments) == 0
    said = capsys.readouterr().err
    assert "2 side by side (a step and member takes 1000.00 ms at 1, 500.00 ms at 2)" in said
    for name, run in runs(tmp_path / "a").items():
        cost = read_json(tmp_path / "a" / name / "cost.json")
        assert cost is not None
        assert (cost["slice_width"], cost["step_seconds"]) == (2, 0.5)
        assert cost["step_seconds_at_width"] == {"1": 1.0, "2": 0.5}
        write_json_atomic(tmp_path / "a" / name / "run.json", {**run, "status": "running"})
    pretend(monkeypatch, {1: 0.1, 2: 1.0})
    assert seqexp(*arguments) == 0
    assert widths == [2, 2]
