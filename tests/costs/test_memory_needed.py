"""What can't fit is refused before anything of it is made, and the rest is trained."""

from __future__ import annotations

import json

import jax
import pytest

from seqexp.costs import measure, memory_needed
from seqexp.costs.memory_needed import TooLarge, require_program, require_room
from seqexp.costs.memory_there import Room
from seqexp.matching.budgets import AXES
from seqexp.sweeps import execute, group_run
from seqexp.sweeps.random_costs import cost_at
from seqexp.training import Hyper, Program
from seqexp.training.mesh import group_mesh
from seqexp.types import SeqexpError
from tests.sweeps.tiny import TINY, runs, seqexp
from tests.test_configs import point
from tests.training.small import row_of


@pytest.fixture
def place(tmp_path):
    return [*TINY, f"runs_dir={tmp_path}", "study=a"]


@pytest.mark.full
def test_a_model_that_no_machine_holds(tmp_path, place, capsys):
    """It used to hang for ever: an array whose allocation failed never arrives.

    640 GB of parameters 17 times: those before and after a step, two moments and the best of each,
    on two devices, and gradients on the one that works.
    """
    assert seqexp("sweep", *place, "model=rnn", "model.features=400000,3") == 1
    said = capsys.readouterr()
    assert "1 finished, 1 failed" in said.err
    assert "160,004,800,010 parameters" in said.err
    by_status = {run["status"]: run for run in runs(tmp_path / "a").values()}
    assert by_status["failed"]["config"]["model"]["features"] == 400000
    assert "need 10.9 TB at least, and the machine's memory has" in by_status["failed"]["error"]
    assert "400000" in said.out, "it is in the report"


def test_costs_and_timings_of_a_model_that_no_machine_holds(place):
    huge = point(*place, "model=rnn", "model.features=400000")
    with pytest.raises(TooLarge, match="10.9 TB"):
        cost_at(huge, 8)
    with pytest.raises(SeqexpError, match="lower match.budget"):
        experiment = huge.build()
        AXES["step_time"].cost(experiment, experiment.task.load, 1)


def test_a_memory_group_refuses_what_the_machine_would_hold(place, monkeypatch):
    room = Room(2 * 10**9, "the memory group (cgroup)")
    monkeypatch.setattr(memory_needed, "host_room", lambda: room)
    refused = execute([point(*place, "model=rnn", "model.features=14000")])[0]
    assert refused.status == "failed"
    assert "the memory group (cgroup) has 2 GB left" in refused.detail


@pytest.mark.full
def test_the_bound_is_below_what_the_program_takes():
    """By XLA's own buffer assignment: else what could be trained would be refused."""
    experiment = point(*TINY, "model=lstm", "model.features=256").build()
    splits = experiment.task.load()
    mesh = row_of(1)
    program = Program.of(experiment, splits, [Hyper.example()], mesh)
    compiled = program.lower(program.init()).compile()
    stats = compiled.memory_analysis()
    assert stats is not None
    taken = stats.argument_size_in_bytes + stats.output_size_in_bytes + stats.temp_size_in_bytes
    asked = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory_needed, "require", lambda needed, *_: asked.append(needed))
        require_room(experiment, 1, mesh)
        require_room(experiment, 2, mesh)
        require_room(experiment, 2, row_of(2))
        require_room(experiment, 1, row_of(2))
    assert taken / 3 < asked[0] < taken
    assert asked[0] < asked[1] < asked[2] == 2 * asked[0]
    assert asked[3] == asked[1], "a device that rests has states, and no gradients"


def test_a_compiled_program_is_compared_before_it_runs(place, monkeypatch):
    """Where the states fit, and the arrays of a step do not."""
    monkeypatch.setattr(measure, "working_bytes", lambda compiled: 10**15)
    monkeypatch.setattr(Program, "advance", lambda *_: pytest.fail("it ran"))
    refused = execute([point(*place, "model=rnn")])[0]
    assert refused.status == "failed" and "need 1,000 TB at least" in refused.detail
    with pytest.raises(TooLarge, match="the arrays of a training step need 1,000 TB"):
        require_program(10**15, 1, group_mesh(1, 1))
    require_program(None, 1, group_mesh(1, 1))


def test_a_program_needs_memory_where_it_works(monkeypatch):
    asked = []
    monkeypatch.setattr(memory_needed, "require", lambda needed, *_: asked.append(needed))
    for members, mesh in ((1, row_of(1)), (1, row_of(2)), (2, row_of(2)), (3, row_of(2))):
        require_program(100, members, mesh)
    require_program(100, 1, group_mesh(1, 2))
    assert asked == [100, 100, 200, 200, 200]


@pytest.mark.full
def test_a_group_that_trained_is_not_refused_when_it_goes_on(tmp_path, place, monkeypatch):
    """A ledger's program_bytes hold the data too, which is in memory by then."""

    save = group_run._save

    def interrupted(*saved):
        save(*saved)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(group_run, "_save", interrupted)
        with pytest.raises(KeyboardInterrupt):
            execute([point(*place, "model=rnn")])
    (path,) = (tmp_path / "a").glob("*/cost.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), "program_bytes": 10**15}))
    assert execute([point(*place, "model=rnn")])[0].status == "finished"


def test_an_allocation_that_fails_is_an_error():
    """Read at once, its array would never arrive."""
    experiment = point(*TINY, "model=rnn", "model.features=3").build()
    splits = experiment.task.load()
    program = Program.of(experiment, splits, [Hyper.example()], group_mesh(1, 1))
    huge = jax.jit(lambda key: jax.random.normal(key, (400_000, 400_000)))(jax.random.key(0))
    with pytest.raises(jax.errors.JaxRuntimeError, match="RESOURCE_EXHAUSTED"):
        program.take((huge,))  # type: ignore[arg-type]
