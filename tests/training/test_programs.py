"""Programs that were compiled from shapes are those that are called: nothing is compiled again."""

from __future__ import annotations

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
    digits,
    experiment,
    program,
    trained,
)
from tests.training.test_stateful import Next

NAMES = tuple(
    f"jit({name})" for name in ("init_member", "advance", "evaluate", "decode", "keep_best")
)


def _translation() -> Experiment:
    net = point("task=digits", "model=encoder_decoder", "model.features=4").build().model
    return experiment(Translation(longest=3, examples=20, width=2), model=net)


def _digits() -> Experiment:
    return experiment(digits(), batch_size=8)


EXPERIMENTS = {
    "one vector a sequence": (lambda: experiment(adding()), 1, 1),
    "a carry that goes on": (lambda: experiment(Next()), 1, 1),
    "answers that are decoded": (_translation, 1, 1),
    "a batch over two devices": (_digits, 2, 1),
    "members side by side": (_digits, 1, 2),
}
"""Each with the devices that share a batch, and the slice width."""


@pytest.mark.parametrize("name", ["one vector a sequence", *map(full, list(EXPERIMENTS)[1:])])
def test_what_was_compiled_ahead_is_what_trains(name, compiled):
    make, batch_devices, width = EXPERIMENTS[name]
    small = make()
    splits = small.task.load()
    members = HYPERS[: 1 if batch_devices > 1 else len(HYPERS)]
    mesh = group_mesh(len(members), batch_devices)
    ahead = Programs.compile_ahead(small, splits, mesh, [width])
    assert ahead.compiled_ahead == {width}
    expected = {name for name in NAMES if name != "jit(decode)" or small.task.decoding}
    assert compiled.keys() & set(NAMES) == expected and compiled["jit(advance)"] == 1
    compiled.clear()
    group = Program.of(small, splits, members, mesh, width, ahead)
    states, records, _ = trained(group)
    assert not compiled.keys() & set(NAMES)
    plain, plain_records, _ = trained(Program.of(small, splits, members, mesh, width))
    assert compiled.keys() & set(NAMES) == expected  # So they would be counted.
    assert_bitwise(states, plain)
    assert records == plain_records


def test_programs_are_the_same_ones_at_a_width_again():
    small = experiment(adding())
    group = program(small, small.task.load(), HYPERS)
    again = group.at_width(2).at_width(1)
    assert again.compiled is group.compiled and group.at_width(2).compiled is not group.compiled
    assert not group.compiled_ahead
