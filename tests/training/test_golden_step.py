"""One training step of each cell, against numbers that were written down."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from seqexp.cells import GRU, LSTM, Elman
from seqexp.models import SequenceModel
from seqexp.tasks import Adding
from seqexp.training import Experiment, Hyper, Optimizer
from seqexp.training.schedules import warmup_cosine
from seqexp.training.step import DATA, graph, init_member, member_key, train_step
from tests.full import full

WRITTEN_DOWN = Path(__file__).with_name("golden_step.json")
CELLS = {"rnn": Elman, "lstm": LSTM, "gru": GRU}
HYPER = Hyper(seed=7, learning_rate=0.5, weight_decay=0.1, clip_norm=1.0)

EXPLAINED = """{cell}: {name} is {got}, but {want} was written down.

A training step computes other numbers than it did, so every run that was recorded is of other code.
Write new ones only where the mathematics of the step, the initialization or the order of the data
was changed on purpose, and say so in CHANGELOG.md:

    python -m tests.training.test_golden_step > {file}
"""


def experiment(cell: Any) -> Experiment:
    model = partial(
        SequenceModel,
        cell=cell,
        features=4,
        depth=1,
        dropout=0.2,
        residual=True,
        norm="layer",
        pooling="last",
    )
    return Experiment(
        model=model,
        task=Adding(length=8, valid_examples=1, test_examples=1),
        optimizer=Optimizer(optax.identity(), warmup_cosine(warmup=0.0, final=0.1), "all"),
        steps=10,
        batch_size=5,
        eval_every=5,
        eval_batch_size=1,
    )


def step(cell: Any) -> dict[str, float]:
    """The first step of a member: its loss, its gradient's norm, an entry of each parameter."""
    small, hyper = experiment(cell), HYPER.traced()
    stream, graphdef = small.task.load().train, graph(small)
    (bucket,) = stream.buckets(small.batch_size)

    @jax.jit
    def first(hyper: Hyper) -> Any:
        key, zero = member_key(hyper.seed, DATA), jnp.int32(0)
        plan = stream.plan(key, zero, small.most_steps, small.batch_size)
        batch = stream.batch(plan, key, zero, bucket)
        return train_step(small, graphdef, init_member(small, hyper), hyper, batch)

    state, measured = first(hyper)
    assert int(state.step) == 1 and bool(state.alive)
    total, weight = measured.sums["loss"]
    found = {"loss": total / weight, "gradient norm": measured.norms["grad_norm"].total}
    for path, leaf in jax.tree.leaves_with_path(state.params):
        # The last entry: of biases and kernels of several gates one that no constant fills.
        found[jax.tree_util.keystr(path, simple=True, separator=".")] = np.ravel(leaf)[-1]
    return {name: float(value) for name, value in found.items()}


@pytest.mark.parametrize("cell", [cell if cell == "lstm" else full(cell) for cell in CELLS])
def test_a_step_computes_the_numbers_that_were_written_down(cell):
    expected = json.loads(WRITTEN_DOWN.read_text())[cell]
    found = step(CELLS[cell])
    file = WRITTEN_DOWN.relative_to(Path(__file__).parents[2])
    assert found.keys() == expected.keys()
    for name, want in expected.items():
        got = found[name]
        assert got == pytest.approx(want, rel=1e-5, abs=1e-8), EXPLAINED.format(
            cell=cell, name=name, got=got, want=want, file=file
        )


if __name__ == "__main__":
    print(json.dumps({name: step(cell) for name, cell in CELLS.items()}, indent=2))
