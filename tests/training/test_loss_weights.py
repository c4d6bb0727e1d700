"""The trained loss is total / weight: the scale of the weights is of no consequence."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import jax
import numpy as np
import optax
import pytest

from seqexp.cells import GRU
from seqexp.models import SequenceModel
from seqexp.tasks import Adding
from seqexp.training import Hyper, Optimizer
from seqexp.training.schedules import constant
from seqexp.training.step import graph, init_member, loss_and_sums
from seqexp.types import Mean
from tests.full import full
from tests.training.small import experiment, program, trained

SGD = Optimizer(optax.identity(), constant())
MODEL = partial(
    SequenceModel,
    cell=GRU,
    features=2,
    depth=1,
    bidirectional=False,
    merge="concat",
    dropout=0.0,
    residual=False,
    norm="none",
    pooling="last",
)
HYPER = Hyper(0, 0.1, 0.0, float("inf"))


@dataclass(frozen=True, kw_only=True)
class Weighted(Adding):
    """The adding problem with a weight for every example, as class weights give."""

    weight: float

    def measure(self, prediction, batch):
        sums = super().measure(prediction, batch)
        return {n: Mean(m.total * self.weight, m.weight * self.weight) for n, m in sums.items()}


def weighted(weight, **changes):
    task = Weighted(length=6, valid_examples=8, test_examples=8, weight=weight)
    return experiment(task, optimizer=SGD, model=MODEL, **changes)


@jax.jit
def loss_and_gradient(weight):
    small = weighted(weight)
    params = init_member(small, HYPER).params
    (valid,) = small.task.load().held_out["valid"]
    loss = partial(loss_and_sums, small, graph(small), batch=valid, key=None)
    return jax.value_and_grad(lambda params: loss(params)[0])(params)


@pytest.mark.parametrize("weight", [1e-3, 0.3 / 8, 1e3])
def test_the_scale_of_the_weights_is_of_no_consequence(weight):
    ours, expected = map(jax.tree.leaves, map(loss_and_gradient, (weight, 1.0)))
    for got, want in zip(ours, expected, strict=True):
        np.testing.assert_allclose(got, want, rtol=2e-5, atol=1e-7)


def test_what_weighs_nothing_has_no_loss_and_no_gradient():
    leaves = jax.tree.leaves(loss_and_gradient(0.0))
    assert all(np.all(leaf == 0) for leaf in leaves)


@pytest.mark.full
@pytest.mark.parametrize("devices", [full(1), 2])
def test_what_is_trained_is_what_is_recorded(devices):
    """On one device and on two: small weights give the parameters and losses that whole ones do."""
    states, losses = [], []
    for weight in (1e-3, 1.0):
        small = weighted(weight, steps=3, eval_every=1)
        group = program(small, small.task.load(), [HYPER], batch_devices=devices)
        members, records, _ = trained(group)
        states.append(members[0].params)
        losses.append([chunk[0]["train/loss"] for chunk in records])
    np.testing.assert_allclose(*losses, rtol=1e-5)
    for got, want in zip(*map(jax.tree.leaves, states), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-6)
