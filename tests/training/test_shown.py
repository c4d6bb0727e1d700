"""What a task is shown of a member's answers: decoded in a way of its own, and not judged."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqexp.data.streams import Generated
from seqexp.models import SequenceModel
from seqexp.tasks.metrics import bernoulli_nll
from seqexp.training import Program
from seqexp.training.mesh import group_mesh
from seqexp.types import (
    Batch,
    Features,
    FreeRunning,
    Score,
    SeqexpError,
    Sequences,
    Splits,
    Task,
    TaskSpec,
)
from tests.training.small import HYPERS, experiment

T, KEYS = 6, 3


@dataclass(frozen=True)
class Roll(Task):
    """Frames of keys that are on or off at random; the next is the same again."""

    @property
    def spec(self):
        return TaskSpec(Features(KEYS), "step", KEYS, T, causal=True)

    @property
    def score(self):
        return Score("loss", "min")

    def load(self):
        stream = Generated(self.make)
        return Splits(stream, {"valid": stream.split(1, 5), "test": stream.split(2, 5)})

    def make(self, key, batch_size):
        frames = jax.random.bernoulli(key, 0.5, (batch_size, T, KEYS)).astype(jnp.float32)
        return Batch(Sequences(frames, jnp.full(batch_size, T, jnp.int32)), frames)

    def measure(self, prediction, batch):
        return {"loss": bernoulli_nll(prediction.outputs, batch.targets, batch.inputs.mask)}

    def judge(self, generated, batch):
        raise AssertionError("what is shown alone is judged")

    @property
    def shown(self):
        return 2

    @property
    def shown_decoding(self):
        return FreeRunning(2, draws="bernoulli")

    def show(self, batch, outputs, generated):
        assert outputs.shape == (2, T, KEYS)
        return {"drawn": "nothing" if generated is None else np.asarray(generated.values)}


class Whole(SequenceModel):
    """Reads whole sequences alone."""

    def prefill(self, inputs):
        raise SeqexpError("it reads whole sequences")


def program(**changes) -> Program:
    of = experiment(Roll(), **changes)
    return Program.of(of, of.task.load(), HYPERS, group_mesh(3, 1))


@pytest.mark.full
def test_draws_are_by_the_seed_and_not_judged():
    group = program()
    states = group.init()
    params = group.take(states)[0].params
    drawn = [np.asarray(group.show(params, member)["drawn"]) for member in (0, 0, 1)]
    assert drawn[0].shape == (2, T - 1, KEYS) and set(np.unique(drawn[0])) <= {0, 1}
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert np.any(drawn[0] != drawn[2])
    found = group.evaluate([state.params for state in states], np.ones(3, bool), "valid")
    assert set(found[0].metrics) == {"loss"}


def test_a_model_that_cannot_decode_is_shown_without():
    usual = experiment(Roll()).model
    group = program(model=lambda spec, *, rngs: Whole(spec, **usual.keywords, rngs=rngs))  # type: ignore
    params = group.take(group.init())[0].params
    assert group.show(params, 0) == {"drawn": "nothing"}
