"""The ledger of a run: its FLOPs, carry and depth against closed forms, padding included."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np
import optax
import pytest

from seqexp.cells import Elman
from seqexp.costs import CostLedger, RandomTask, measure
from seqexp.costs.measure import TrainingCost, measure_costs
from seqexp.costs.timing import Timing
from seqexp.data.streams import Examples
from seqexp.models import SequenceModel
from seqexp.training import Experiment, Hyper, Optimizer, Program
from seqexp.training.mesh import group_mesh
from seqexp.training.schedules import constant
from seqexp.types import (
    Batch,
    Features,
    Mean,
    Prediction,
    Score,
    Sequences,
    Splits,
    Sums,
    Task,
    TaskSpec,
)

B, T, D, H, C = 4, 10, 3, 5, 2
LENGTHS = np.array([10, 2, 4, 4], np.int32)
SPEC = TaskSpec(Features(D), "step", C, T, causal=True, targets="own")
EQUATIONS = 2 * (D + H) * H + 3 * H + 2 * H * C + C
"""Of one token: x W + h U + b, tanh, and the readout."""


@dataclass(frozen=True)
class Ragged(Task):
    """Sequences of four lengths."""

    asked: TaskSpec

    @property
    def spec(self) -> TaskSpec:
        return self.asked

    @property
    def score(self) -> Score:
        return Score("loss", "min")

    def load(self) -> Splits:
        batch = ones(T, LENGTHS)
        return Splits(Examples(batch), {"valid": (batch,), "test": (batch,)})

    def measure(self, prediction: Prediction, batch: Batch) -> Sums:
        return {"loss": Mean(jnp.sum(prediction.outputs), jnp.ones(()))}


def ones(length: int, lengths: Any) -> Batch:
    """Examples without targets."""
    inputs = jnp.ones((len(lengths), length, D))
    return Batch(Sequences(inputs, jnp.asarray(lengths)), jnp.zeros((len(lengths), 0)))


def program(spec: TaskSpec = SPEC, **changes: Any) -> tuple[Program, Splits]:
    settings: dict[str, Any] = {
        "features": H,
        "depth": 1,
        "bidirectional": False,
        "merge": "concat",
        "dropout": 0.0,
        "residual": False,
        "norm": "none",
        "pooling": "last",
    }
    task = Ragged(spec)
    model = partial(SequenceModel, cell=Elman, **(settings | changes))
    experiment = Experiment(model, task, Optimizer(optax.identity(), constant()), 4, B, 4, 4)
    splits = task.load()
    return Program.of(experiment, splits, [Hyper(0, 0.1, 0.0, 1.0)], group_mesh(1, 1)), splits


def measured(group: Program, splits: Splits) -> CostLedger:
    return measure_costs(group, group.take(group.init()), splits, [1])[1]


@pytest.fixture
def no_clock(monkeypatch):
    """Times that are known, and no training program."""

    def cost(program, fresh):
        return TrainingCost(Timing(0.5, 0.4, 0.6, 9), 2.0, 100, 0.7, 300, 1.5)

    monkeypatch.setattr(measure, "training_cost", cost)
    monkeypatch.setattr(measure, "prefill_rounds", lambda *_, **how: lambda: [0.2])


@pytest.fixture
def ledger(no_clock, monkeypatch):
    monkeypatch.setattr(
        measure, "decode_rounds", lambda model, inputs, x, **how: lambda: [0.1 * len(x)]
    )
    return measured(*program())


def test_flops_of_the_equations_have_no_padding_in_them(ledger):
    assert ledger.model_inference_flops_per_token == EQUATIONS
    assert ledger.model_training_flops_per_token == 3 * EQUATIONS
    assert ledger.model_inference_flops_per_step == LENGTHS.sum() * EQUATIONS
    assert ledger.model_training_flops_per_step == 3 * LENGTHS.sum() * EQUATIONS
    assert ledger.decode_flops_per_token == EQUATIONS


def test_flops_of_the_program_have_padding_in_them(ledger):
    bias_as_row = H
    assert ledger.inference_flops_per_step == B * T * (EQUATIONS + bias_as_row)
    assert ledger.inference_flops_per_token == ledger.inference_flops_per_step / LENGTHS.sum()
    assert ledger.training_flops_per_token == ledger.training_flops_per_step / LENGTHS.sum()
    assert sum(ledger.training_flops_by_kind.values()) == ledger.training_flops_per_step
    # x W + b, h U and the readout; back, those of h, of W, U and b, of x in vain, of the readout.
    products = (D + 1 + H) * H + H * C + H * H + (D + 1 + H) * H + D * H + 2 * H * C
    assert ledger.training_flops_by_kind["matmul"] == 2 * B * T * products
    assert ledger.training_flops_by_kind["transcendental"] == pytest.approx(B * T * H, abs=9)


def test_what_training_costs_is_told_by_its_own_lengths(no_clock):
    """Two sequences of 3 and 1 steps, padded to 4, to train on; validation reads 10 steps."""
    group, splits = program()
    splits = splits._replace(train=Examples(ones(4, [3, 1])))
    experiment = replace(group.experiment, batch_size=2)
    group = Program.of(experiment, splits, group.hypers, group_mesh(1, 1))
    found, usual = measured(group, splits), measured(*program())
    assert found.training_flops_by_kind and usual.training_flops_by_kind
    assert found.training_flops_by_kind["matmul"] * B * T == (
        usual.training_flops_by_kind["matmul"] * 2 * 4
    )
    assert found.training_flops_per_step
    assert found.training_flops_per_token == found.training_flops_per_step / 4
    assert found.model_training_flops_per_step == 3 * 4 * EQUATIONS
    assert found.tokens_per_second == 4 / 0.5
    assert (found.context_length, found.inference_flops_per_step) == (
        T,
        2 * T * (EQUATIONS + H),
    )
    assert found.inference_flops_per_token == usual.inference_flops_per_token
    _, (given,) = group.advance(group.init(), np.array([3]))
    assert (given.tokens, given.examples) == (3 * 4, 3 * 2)


def test_carry_and_depth(ledger):
    assert (ledger.carry_bytes, ledger.carry_bytes_by_layer) == (4 * H, {"0.0": 4 * H})
    assert ledger.context_length == T
    assert ledger.inference_sequential_depth == 3 * T + 2
    assert ledger.training_sequential_depth > 2 * ledger.inference_sequential_depth


def test_times_are_put_in_relation(ledger):
    assert ledger.tokens_per_second == LENGTHS.sum() / 0.5
    assert (ledger.prefill_seconds, ledger.prefill_tokens_per_second) == (0.2, T / 0.2)
    assert ledger.decode_seconds_per_token == 0.1
    assert ledger.decode_tokens_per_second == pytest.approx(32 / 3.2)
    assert (ledger.first_step_seconds, ledger.compile_seconds) == (0.7, 2.0)
    assert (ledger.peak_device_bytes, ledger.step_joules) == (300, 1.5)
    assert ledger.peak_resident_bytes is None


def test_a_model_that_cannot_decode_has_no_costs_of_decoding(no_clock):
    """Its equations are those of both directions."""
    ledger = measured(*program(replace(SPEC, causal=False), bidirectional=True))
    assert ledger.decode_flops_per_token is None
    assert (ledger.decode_seconds_per_token, ledger.decode_tokens_per_second) == (None, None)
    both = 2 * (2 * (D + H) * H + 3 * H) + 2 * 2 * H * C + C
    assert ledger.model_inference_flops_per_token == both
    assert ledger.carry_bytes_by_layer == {"0.0.0": 4 * H, "0.0.1": 4 * H}


@pytest.mark.parametrize(
    ("steps", "repeats", "peaks", "bytes_used"),
    [(3, 5, [100, 700], 700), (21, 7, [700, 700], None), (300, 9, [100, 700], 700)],
)
def test_energy_is_shared_by_all_steps_and_a_peak_is_that_of_whoever_set_it(
    steps, repeats, peaks, bytes_used, monkeypatch
):
    """And a short training is measured by fewer steps than it takes, but by five repeats."""
    task = RandomTask(SPEC, B)
    group = program()[0]
    experiment = replace(group.experiment, task=task, steps=steps)
    group = Program.of(experiment, task.load(), group.hypers, group_mesh(1, 1))
    ran, held = [], iter(peaks)

    def clock(run, steps, repeats):
        (given,) = run(steps)
        ran.append((steps, repeats, given.measured.sums["loss"].weight.item() / (B * T * C)))
        return Timing(0.04 * steps, 0.04 * steps, 0.04 * steps, repeats)

    monkeypatch.setattr(measure, "seconds", clock)
    monkeypatch.setattr(measure, "own_counters", lambda: {"package": 0})
    monkeypatch.setattr(measure, "joules_since", lambda before: 60.0 if before else None)
    monkeypatch.setattr(measure, "peak_device_bytes", lambda device: next(held))
    cost = measure.training_cost(group, group.take(group.init()))
    assert ran == [(1, 2, 1), (3, repeats, 3)]
    assert cost.step.median == pytest.approx(0.04)
    assert cost.joules == 60 / (3 * (repeats + 1))
    assert cost.device_bytes == bytes_used
    assert cost.first_step_seconds is not None and cost.first_step_seconds > 0
