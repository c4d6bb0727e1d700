"""The first probe: text that a model writes, and what a task shows of its answers."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from seqexp.data.sampled_text import Text
from seqexp.data.streams import Generated
from seqexp.inspection.samples import Sampler
from seqexp.inspection.shown import check_shown, shown_examples, text_of
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
    Tokens,
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
        drawn = None if generated is None else np.concatenate(generated.values)
        legends = {"drawn_legend": "keys that were drawn", "other_legend": "of no picture"}
        return {"answers": "nothing"} if drawn is None else {"drawn": drawn, **legends}


class Whole(SequenceModel):
    """Reads whole sequences alone."""

    def prefill(self, inputs):
        raise SeqexpError("it reads whole sequences")


def program(**changes) -> Program:
    of = experiment(Roll(), **changes)
    return Program.of(of, of.task.load(), HYPERS, group_mesh(3, 1))


def test_a_legend_goes_with_its_picture_and_is_no_text():
    group = program()
    params = group.take(group.init())[0].params
    sampler = Sampler(group.experiment, group.graphdef, group.held_out["valid"])
    found = sampler(params, HYPERS[0].seed)
    assert found.legends == {"drawn": "keys that were drawn"}
    assert list(found.texts) == ["of no picture"] and list(found.pictures) == ["drawn"]


@pytest.mark.full
def test_draws_are_by_the_seed_and_not_judged():
    group = program()
    states = group.init()
    params = group.take(states)[0].params
    sampler = Sampler(group.experiment, group.graphdef, group.held_out["valid"])
    drawn = [sampler(params, hyper.seed).pictures["drawn"] for hyper in HYPERS[:2] for _ in "ab"]
    assert drawn[0].shape == (2 * (T - 1), KEYS) and set(np.unique(drawn[0])) <= {0, 1}
    np.testing.assert_array_equal(drawn[0], drawn[1])
    np.testing.assert_array_equal(drawn[2], drawn[3])
    assert np.any(drawn[0] != drawn[2])
    found = group.evaluate([state.params for state in states], np.ones(3, bool), "valid")
    assert set(found[0].metrics) == {"loss"}


def test_a_model_that_cannot_decode_is_shown_without():
    usual = experiment(Roll()).model
    group = program(model=lambda spec, *, rngs: Whole(spec, **usual.keywords, rngs=rngs))  # type: ignore
    params = group.take(group.init())[0].params
    sampler = Sampler(group.experiment, group.graphdef, group.held_out["valid"])
    assert sampler(params, 0) == (["nothing"], {}, {}, {})


@dataclass(frozen=True)
class Steps(Roll):
    """Values that are not read back: of other features than outputs."""

    @property
    def spec(self):
        return TaskSpec(Features(KEYS + 1), "step", KEYS, T, causal=True)


def test_what_is_shown_may_be_drawn_and_must_fit():
    check_shown(Roll())
    with pytest.raises(SeqexpError, match="^Steps: .*as many values as features"):
        check_shown(Steps())


@dataclass(frozen=True)
class Letters(Task):
    """Predicts the next of seven letters; of data there is none."""

    text: Text | None

    @property
    def spec(self):
        return TaskSpec(Tokens(7), "step", 7, T, causal=True)

    @property
    def score(self):
        return Score("loss", "min")

    def load(self):
        raise AssertionError("what is shown is told without data")

    def measure(self, prediction, batch):
        raise AssertionError("nothing is measured")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (Text("abcdefg", "az", 3), r"the prompt of text has symbols .*\['z'\]"),
        (Text("abcdefg", "", 3), "the prompt of text is empty"),
        (Text("abc", "a", 3), "text has 3 symbols, so the spec must be of as many tokens"),
    ],
)
def test_a_prompt_must_be_of_the_tokens(text, said):
    with pytest.raises(SeqexpError, match=f"^Letters: {said}"):
        check_shown(Letters(text))


def test_what_a_task_does_not_offer_is_not_asked():
    check_shown(Letters(None))
    assert text_of(Letters(None)) is None and shown_examples(Letters(None)) == 0
    assert text_of(Roll()) is None and shown_examples(Roll()) == 2


class Alphabet(nnx.Module):
    """The letter after the last one, always."""

    def prefill(self, inputs):
        return jnp.zeros(())

    def step(self, carry, token):
        return carry, jax.nn.one_hot((token + 1) % 7, 7) * 1e9


@pytest.mark.full
def test_text_goes_on_behind_its_prompt():
    graphdef, params = nnx.split(Alphabet())
    empty = Batch(Sequences(np.zeros((1, T), int), np.array([T])), ())  # type: ignore
    of = experiment(Letters(Text("abcdefg", "ef", 4)))
    sampler = Sampler(of, graphdef, [empty])
    assert sampler(params, 0) == (["efgabc"], {}, {}, {})
