"""Law 4 over the menu: a member alone is a member of a group, on every kind of task and by every
make of model."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest

from seqexp.types import SeqexpError
from tests.test_configs import point
from tests.toys.translation import Translation
from tests.training.small import HYPERS, assert_bitwise, program, trained

pytestmark = [pytest.mark.full, pytest.mark.rounding]

ROOT = Path(__file__).parents[1]
TASKS = ("digit_strings", "dyck_2", "jsb_chorales", "mackey_glass", "multi30k")
"""Tasks that differ in how their data comes or is judged; others are in tests/training."""
MODELS = {
    "encoder_decoder": ["model=encoder_decoder"],
    "layers": ["model=stack", "model.layers=[deltanet,mamba,s5,{tcn: {levels: 2}}]"],
    "transformer": ["model=transformer"],
    "transformer in bfloat16": ["model=transformer", "trainer.precision=bfloat16"],
}
"""Makes of models; what is recurrent in different ways stands in one stack, since a program takes
much longer to compile than a layer more in it."""


def _small(name_of_task: str, *more: str):
    overrides = [
        f"task={name_of_task}",
        "model.features=3",
        "trainer.steps=4",
        "trainer.eval_every=2",
        "trainer.batch_size=2",
        "model.dropout=0.1",
        *more,
    ]
    return point(*overrides).build()


def _splits(experiment):
    """With few examples that are held out."""
    try:
        splits = experiment.task.load()
    except SeqexpError as error:
        pytest.skip(f"needs data: {error}")
    few = jax.tree.map(lambda a: a[:10], splits.held_out["valid"])
    return splits._replace(held_out={"valid": few, "test": few})


def _assert_law_4(experiment):
    """A member alone and in a group of three ends in the same state, with the same records."""
    splits = _splits(experiment)
    together, records, _ = trained(program(experiment, splits, HYPERS))
    alone, alone_records, _ = trained(program(experiment, splits, HYPERS[1:2]))
    assert_bitwise(alone[0], together[1])
    assert [chunk[0] for chunk in alone_records] == [chunk[1] for chunk in records]


@pytest.mark.parametrize("task", TASKS)
def test_law_4_a_member_alone_is_a_member_of_a_group_on_every_kind_of_task(task):
    # Two buckets where there are any: each is a program of its own to compile.
    has_buckets = point(f"task={task}").config["task"].get("buckets", 1) not in (None, 1)
    _assert_law_4(_small(task, "model=gru", *["task.buckets=2"] * has_buckets))


def _experiment(model: str):
    """Digits; or the toy translation, by a model that fits no other answers."""
    experiment = _small("digits", *MODELS[model])
    if model == "encoder_decoder":
        return replace(experiment, task=Translation(longest=3, examples=20, width=2))
    return experiment


@pytest.mark.parametrize("model", MODELS)
def test_law_4_a_member_alone_is_a_member_of_a_group_for_every_make_of_model(model):
    _assert_law_4(_experiment(model))


def on_devices(model: str) -> None:
    """Print how many devices a group of three has, and a digest of what its members become."""
    experiment = _experiment(model)
    group = program(experiment, _splits(experiment), HYPERS)
    states, records, _ = trained(group)
    arrays = [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(states)]
    digest = hashlib.sha256(b"".join(arrays) + repr(records).encode()).hexdigest()
    print(group.mesh.devices.size, digest)


@pytest.mark.parametrize("model", ["transformer", "transformer in bfloat16"])
def test_law_4_the_number_of_devices_changes_nothing(capsys, model):
    """XLA's CPU sums large products in an order that depends on how many threads it was started
    with, so a process on other cores may round otherwise; small ones it doesn't."""
    on_devices(model)
    devices, ours = capsys.readouterr().out.split()
    count = "--xla_force_host_platform_device_count="
    flags = os.environ["XLA_FLAGS"].replace(f"{count}2", f"{count}4")
    command = [sys.executable, "-c", f"import {__name__} as here; here.on_devices({model!r})"]
    environment = {**os.environ, "XLA_FLAGS": flags, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    more_devices, theirs = done.stdout.split()
    assert (devices, more_devices) == ("2", "3")
    assert ours == theirs
