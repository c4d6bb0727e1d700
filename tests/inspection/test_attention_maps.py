"""Pictures of attention: the weights of the papers, cut to true lengths; watching is free."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import jax
import numpy as np
import pytest
from flax import nnx

from seqexp.cells import GRU
from seqexp.inspection.attention_maps import CELL, MOST, attention_maps, attention_tokens
from seqexp.inspection.inspector import Inspector
from seqexp.inspection.output_probes import outputs
from seqexp.inspection.samples import Sampler, Samples
from seqexp.inspection.settings import Settings
from seqexp.laws.drawing import drawn
from seqexp.layers import recurrent_layer
from seqexp.models import EncoderDecoder
from seqexp.training import Program
from seqexp.training.mesh import group_mesh
from seqexp.training.step import init_member, train_step
from seqexp.types import Batch, Sequences
from tests.full import full
from tests.inspection.models import LENGTHS, MODELS, PREFIX_LENGTHS, batch
from tests.toys.translation import Translation
from tests.training.small import HYPERS, assert_bitwise, experiment, trained

H = 3


class Spelled(Translation):
    """Words in, words out."""

    def spelled(self, batch):
        assert batch.prefix is not None
        lengths = zip(batch.inputs.lengths, batch.prefix.lengths, strict=True)
        return [(t * ["in"], u * ["out"]) for t, u in lengths]


TASK = Spelled(longest=5, examples=12)


class Unwatched(EncoderDecoder):
    """Attends, and tells nobody to what."""

    def __call__(self, inputs, prefix=None, *, key=None):
        return super().__call__(inputs, prefix, key=key)._replace(attention=None)


def program(make: Any = EncoderDecoder, attention: str | None = "multiplicative") -> Program:
    model = partial(
        make,
        features=H,
        depth=1,
        dropout=0.1,
        residual=False,
        norm="none",
        attention=attention,
        bidirectional=False,
        layers=[partial(recurrent_layer, cell=GRU)],
    )
    of = experiment(TASK, model=model)
    return Program.of(of, TASK.load(), HYPERS[:1], group_mesh(1, 1))


def samples(group: Program, params: Any) -> Samples:
    of = group.experiment, group.graphdef, group.held_out["valid"]
    return Sampler(*of)(params, group.hypers[0].seed)


def random_batch(rows: list[int], columns: list[int]) -> tuple[np.ndarray, Batch]:
    """Weights, and a batch of the lengths of the answers and of the sources."""
    B, U, T = len(rows), max(rows), max(columns)
    weights = np.random.default_rng(0).dirichlet(np.ones(T), (B, U)).astype(np.float32)
    inputs = Sequences(np.zeros((B, T), int), np.array(columns))  # type: ignore[arg-type]
    prefix = Sequences(np.zeros((B, U), int), np.array(rows))  # type: ignore[arg-type]
    return weights, Batch(inputs, (), prefix)


def test_a_map_is_cut_to_the_true_lengths_and_each_weight_is_a_square():
    rows, columns = [2, 4, 1], [5, 1, 3]
    weights, batch = random_batch(rows, columns)
    maps = attention_maps(weights, batch)
    assert list(maps) == ["attention_1", "attention_2", "attention_3"]
    for n, picture in enumerate(maps.values()):
        assert picture.shape == (CELL * rows[n], CELL * columns[n])
        for (y, x), value in np.ndenumerate(picture):
            assert value == weights[n, y // CELL, x // CELL]


def test_a_few_examples_are_enough_and_padding_is_none():
    maps = attention_maps(*random_batch([2, 0, 3, 2, 2, 2], [4, 4, 0, 4, 4, 4]))
    assert MOST == 4 and list(maps) == ["attention_1", "attention_4"]


def test_tokens_are_named_as_their_maps():
    rows, columns = [2, 0, 3, 2, 2], [4, 4, 0, 4, 4]
    maps = attention_maps(*random_batch(rows, columns))
    spelled = [(t * ["in"], u * ["out"]) for u, t in zip(rows, columns, strict=True)]
    tokens = attention_tokens(spelled)
    assert list(tokens) == [f"{name}_tokens" for name in maps]
    for name, picture in maps.items():
        title, *lines = tokens[f"{name}_tokens"].split("\n")
        assert title == name
        height, width = (length // CELL for length in picture.shape)
        assert [line.split()[4:] for line in lines] == [width * ["in"], height * ["out"]]


def of_each_step(layer: Any, xs: np.ndarray, features: int) -> np.ndarray:
    """The outputs `[t, H]` of a recurrent layer for one example, a step at a time."""
    carry, outputs = layer.initial_carry(1, len(xs)), []
    for x in xs:
        carry, y = layer.step(carry, x[None])
        outputs.append(np.asarray(y)[0, :features])
    return np.stack(outputs)


def parameters(group: Program) -> Any:
    """Large enough that attention is far from even."""
    model = nnx.eval_shape(lambda: group.experiment.model(TASK.spec, rngs=nnx.Rngs(0)))
    return nnx.state(drawn(model, np.random.default_rng(0), np.float32))


@pytest.mark.parametrize("attention", [full("additive"), "multiplicative"])
def test_weights_are_those_of_the_equations(attention):
    """One query and one example at a time, of the first validation examples in their order."""
    group = program(attention=attention)
    params = parameters(group)
    net: Any = nnx.merge(group.graphdef, params)
    texts, maps, files, _ = samples(group, params)
    pictures = ["attention_1", "attention_2"]
    assert list(maps) == pictures and not files
    assert [text.split("\n")[0] for text in texts] == pictures
    batch = group.held_out["valid"][0]
    assert batch.prefix is not None
    first = [int(n) for n in batch.inputs.lengths[:2]]
    words, answers = np.asarray(batch.inputs.values), np.asarray(batch.prefix.values)
    embed, embed_prefix = (np.asarray(e.embedding[...]) for e in (net.embed, net.embed_prefix))
    kernel = {
        name: np.asarray(getattr(net.attend, name).kernel[...], np.float64)
        for name in ("query", "key", "score")
        if hasattr(net.attend, name)
    }
    for n, length in enumerate(first):
        hs = of_each_step(net.encoder.layers[0], embed[words[n, :length]], H)
        read = [np.concatenate([embed_prefix[y], hs[-1]]) for y in answers[n, : length + 1]]
        ss = of_each_step(net.decoder.layers[0], np.stack(read), H)
        if attention == "additive":
            joint = np.tanh((ss @ kernel["query"])[:, None] + hs @ kernel["key"])
            scores = joint @ kernel["score"][:, 0]
        else:
            scores = ss @ kernel["query"] @ hs.T
        expected = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
        found = np.asarray(maps[f"attention_{n + 1}"])[::CELL, ::CELL]
        assert found.shape == (length + 1, length)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(found.sum(1), 1, rtol=1e-5)


def test_without_attention_nothing_is_shown():
    group = program(attention=None)
    assert samples(group, parameters(group)) == ([], {}, {}, {})


def test_a_training_step_is_the_same_program_whoever_watches():
    texts = []
    for group in (program(), program(Unwatched)):
        of, hyper = group.experiment, group.hypers[0]
        state = jax.eval_shape(partial(init_member, of), hyper)
        step = jax.jit(partial(train_step, of, group.graphdef))
        texts.append(step.lower(state, hyper, group.held_out["valid"][0]).as_text())
    assert texts[0] == texts[1]


@pytest.mark.full
def test_metrics_and_members_are_the_same_whoever_watches():
    """Bitwise."""
    watched, unwatched = program(), program(Unwatched)
    (members, records, _), (others, others_records, _) = map(trained, (watched, unwatched))
    assert samples(watched, members[0].params).pictures
    assert not samples(unwatched, others[0].params).pictures
    assert records == others_records
    assert_bitwise(*([jax.tree.leaves(each) for each in both] for both in (members, others)))


def test_what_stands_behind_the_end_of_an_answer_attends_to_nothing():
    with jax.enable_x64(True):
        model, of = MODELS["encoder-decoder"]()
        asked = outputs(of)(model, batch(of), jax.random.key(0))
        found = np.asarray(asked.arrays["attention"])
    for weights, rows, columns in zip(found, PREFIX_LENGTHS, LENGTHS, strict=True):
        np.testing.assert_allclose(weights[:rows].sum(1), 1, atol=1e-6)
        assert not weights[rows:].any() and not weights[:, columns:].any()


class Misspelled(Translation):
    def spelled(self, batch):
        raise IndexError("no such token")


def test_a_task_that_cannot_spell_its_tokens_keeps_its_attention():
    own = experiment(Misspelled(longest=5, examples=12), model=program().experiment.model)
    group = Program.of(own, TASK.load(), HYPERS[:1], group_mesh(1, 1))
    [member] = group.take(group.init())
    inspector = Inspector(
        own, group.graphdef, group.held_out["valid"], Settings("light", examples=2)
    )
    found = inspector(member.params, 0, HYPERS[0])
    assert "attention" in found.arrays and "attention_tokens" not in found.record
    assert "no such token" in found.record["not_defined"]["attention_tokens"]


def test_an_inspection_records_the_tokens_of_the_example_whose_attention_is_drawn():
    group = program()
    [member] = group.take(group.init())
    valid, light = group.held_out["valid"], Settings("light", examples=2)
    found = Inspector(group.experiment, group.graphdef, valid, light)(member.params, 0, HYPERS[0])
    source, answer = found.record["attention_tokens"]
    own = valid[0]
    assert own.prefix is not None
    assert source == int(own.inputs.lengths[0]) * ["in"]
    assert answer == int(own.prefix.lengths[0]) * ["out"]
    json.dumps(found.record)
