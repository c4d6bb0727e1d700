"""Programs that were compiled from shapes are those that are called: nothing is compiled again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import jax
import pytest

from seqexp.training import Experiment, Program
from seqexp.training.mesh import group_mesh
from seqexp.training.programs import Programs
from tests.full import full
from tests.test_configs import point
from tests.toys.translation import Translation
from tests.training.small import (
    HYPERS,
    adding,
    assert_bitwise,
    experiment,
    program,
    trained,
)
from tests.training.test_stateful import Next

NAMES = ("init_member", "advance", "evaluate", "decode", "keep_best")


@pytest.fixture
def compiled() -> Iterator[Counter[str]]:
    """How often each of a group's programs is compiled, or read from the persistent cache."""
    counts: Counter[str] = Counter()

    def listen(event: str, duration_secs: float, **kwargs: str | int) -> None:
        name = str(kwargs.get("fun_name", "")).removeprefix("jit(").removesuffix(")")
        if event == "/jax/core/compile/backend_compile_duration" and name in NAMES:
            counts[name] += 1

    jax.monitoring.register_event_duration_secs_listener(listen)
    yield counts
    jax.monitoring.unregister_event_duration_listener(listen)


def _translation() -> Experiment:
    net = point("task=digits", "model=encoder_decoder", "model.features=4").build().model
    return experiment(Translation(longest=3, examples=20, width=2), model=net)


EXPERIMENTS = {
    "one vector a sequence": (lambda: experiment(adding()), 1),
    "a carry that goes on": (lambda: experiment(Next()), 1),
    "answers that are decoded": (_translation, 1),
    "a batch over two devices": (lambda: experiment(adding()), 2),
}


@pytest.mark.parametrize("name", ["one vector a sequence", *map(full, list(EXPERIMENTS)[1:])])
def test_what_was_compiled_ahead_is_what_trains(name, compiled):
    make, batch_devices = EXPERIMENTS[name]
    small = make()
    splits = small.task.load()
    members = HYPERS[: 1 if batch_devices > 1 else len(HYPERS)]
    mesh = group_mesh(len(members), batch_devices)
    ahead = Programs.compile_ahead(small, splits, mesh, [1])
    expected = {name: 1 for name in NAMES if name != "decode" or small.task.decoding}
    assert set(compiled) == set(expected)
    compiled.clear()
    states, records, _ = trained(Program.of(small, splits, members, mesh, programs=ahead))
    assert not compiled
    plain, plain_records, _ = trained(program(small, splits, members, batch_devices=batch_devices))
    assert compiled  # The listener listens.
    assert_bitwise(states, plain)
    assert records == plain_records


def test_programs_are_the_same_ones_at_a_width_again():
    small = experiment(adding())
    group = program(small, small.task.load(), HYPERS)
    again = group.at_width(2).at_width(1)
    assert again.compiled is group.compiled and group.at_width(2).compiled is not group.compiled
    assert not group.compiled_ahead
    assert replace(group).compiled is group.compiled
