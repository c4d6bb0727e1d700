"""Decoding against a loop in Python that reads every prefix anew."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from seqexp.cells import GRU, LSTM
from seqexp.data.sampled_text import Text
from seqexp.models import SequenceModel
from seqexp.training.decoding import (
    before_end,
    decode,
    free_running,
    greedy,
    sample_text,
)
from seqexp.training.random_batch import random_batch
from seqexp.types import Batch, Features, SeqexpError, Sequences, TaskSpec, Tokens
from tests.full import full

V, T, U, B = 6, 5, 7, 4
LENGTHS = [5, 1, 3, 4]
NEXT = TaskSpec(Tokens(V), "step", V, T, causal=True)
FREE = TaskSpec(Features(2), "free", V, T, causal=False, max_answer_length=U, start=2, end=1)


def model(spec: TaskSpec, cell=GRU) -> SequenceModel:
    """With parameters so large that what is read and written decides, and not the biases."""
    net = SequenceModel(
        spec,
        cell=cell,
        features=8,
        depth=2,
        dropout=0.0,
        residual=False,
        norm="none",
        pooling="last",
        rngs=nnx.Rngs(params=3),
    )
    rng = np.random.default_rng(0)
    return jax.tree.map(lambda leaf: jnp.asarray(rng.normal(0, 1.5, leaf.shape), leaf.dtype), net)


@jax.jit
def said(net: SequenceModel, inputs: Sequences, prefix: Sequences | None = None) -> jax.Array:
    return net(inputs, prefix).outputs


def in_room(tokens: list[int], room: int) -> Sequences:
    """One sequence in arrays of one length, so that it grows without being compiled anew."""
    values = np.zeros((1, room), np.int32)
    values[0, : len(tokens)] = tokens
    return Sequences(jnp.asarray(values), jnp.array([len(tokens)]))


@pytest.mark.parametrize("cell", [GRU, full(LSTM)])
def test_greedy_is_the_largest_output_behind_every_growing_sequence(cell):
    net, batch = model(NEXT, cell), random_batch(NEXT, B, lengths=LENGTHS)
    first = jnp.array([0, 3, 5, 1])
    written = np.asarray(decode(net, batch.inputs, first, U))
    assert written.dtype == np.int32 and len(np.unique(written)) > 2
    for b, length in enumerate(LENGTHS):
        tokens = [*np.asarray(batch.inputs.values)[b, :length].tolist(), int(first[b])]
        for u in range(U):
            outputs = said(net, in_room(tokens, T + 1 + U))
            expected = int(np.argmax(outputs[0, len(tokens) - 1]))
            assert written[b, u] == expected, (b, u)
            tokens.append(expected)


def free_answers(net: SequenceModel, batch: Batch) -> list[list[int]]:
    """Of each row, growing its prefix until the end token or the most steps there are."""
    assert FREE.start is not None
    answers = []
    for b in range(len(batch.inputs.lengths)):
        inputs = jax.tree.map(lambda array, b=b: array[b : b + 1], batch.inputs)
        prefix = [FREE.start]
        while len(prefix) <= U and (len(prefix) == 1 or prefix[-1] != FREE.end):
            outputs = said(net, inputs, in_room(prefix, U))
            prefix.append(int(np.argmax(outputs[0, len(prefix) - 1])))
        answers.append([token for token in prefix[1:] if token != FREE.end])
    return answers


def test_a_free_answer_is_written_up_to_its_end_behind_its_own_inputs():
    # Twenty rows, so that some end at once, some later and some never.
    rng = np.random.default_rng(0)
    net, batch = model(FREE), random_batch(FREE, 20, lengths=rng.integers(1, T + 1, 20).tolist())
    batch = batch._replace(inputs=batch.inputs._replace(values=4 * batch.inputs.values))
    found, expected = greedy(FREE, net, batch), free_answers(net, batch)
    lengths = np.asarray(found.lengths)
    assert lengths.tolist() == [len(answer) for answer in expected]
    assert lengths.max() == U and lengths.min() < U
    for row, answer in zip(np.asarray(found.values), expected, strict=True):
        assert row[: len(answer)].tolist() == answer
        assert set(row[len(answer) :].tolist()) <= {FREE.end}


@pytest.mark.parametrize("answer", ["sequence", "step"])
def test_what_is_said_of_other_answers_is_the_largest_output(answer):
    spec = TaskSpec(Features(2), answer, V, T, causal=False)
    net, batch = model(spec), random_batch(spec, 3, lengths=[5, 0, 2])
    outputs = np.asarray(net(batch.inputs).outputs)
    found = greedy(spec, net, batch)
    if answer == "step":
        assert np.asarray(found.lengths).tolist() == [5, 0, 2]
        np.testing.assert_array_equal(found.values, outputs.argmax(-1))
    else:
        assert np.asarray(found.lengths).tolist() == [1, 0, 1]
        np.testing.assert_array_equal(found.values, outputs.argmax(-1)[:, None])


def test_sampling_at_temperature_0_is_greedy():
    net, batch = model(NEXT), random_batch(NEXT, B, lengths=LENGTHS)
    first = jnp.zeros(B, jnp.int32)
    draw = partial(decode, net, batch.inputs, first, U)
    np.testing.assert_array_equal(draw(key=jax.random.key(0), temperature=0.0), draw())
    traced = jax.jit(lambda t: draw(key=jax.random.key(0), temperature=t))
    np.testing.assert_array_equal(traced(0.0), draw())
    assert not np.array_equal(traced(1.0), draw())


def test_samples_follow_the_key():
    net, batch = model(NEXT), random_batch(NEXT, B, lengths=LENGTHS)
    first = jnp.zeros(B, jnp.int32)
    one, same, other = (
        np.asarray(decode(net, batch.inputs, first, U, key=jax.random.key(seed), temperature=2.0))
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_what_stands_behind_the_first_end_is_left_out():
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, 4, (50, 6))
    found = before_end(jnp.asarray(tokens), end=1)
    for row, values, length in zip(tokens.tolist(), found.values, found.lengths, strict=True):
        kept = row[: row.index(1)] if 1 in row else row
        assert int(length) == len(kept)
        assert values.tolist() == kept + [1] * (6 - len(kept))
    assert {0, 6} <= set(np.asarray(found.lengths).tolist())


class Alphabet(nnx.Module):
    """Says that the next symbol is the following one, as surely as floats can."""

    def prefill(self, inputs):
        return inputs.lengths

    def step(self, carry, x):
        return carry + 1, 1e4 * jax.nn.one_hot((x + 1) % 5, 5)


class Counter(Alphabet):
    """Says how many symbols it has read."""

    def step(self, carry, x):
        return carry + 1, 1e4 * jax.nn.one_hot((carry + 1) % 5, 5)


class Coin(Alphabet):
    """Heads and tails, the one e^1 times as often, nothing else."""

    def step(self, carry, x):
        return carry, jnp.tile(jnp.array([0.0, 1.0, -1e9, -1e9, -1e9]), (x.shape[0], 1))


@pytest.mark.parametrize("prompt", ["bc", "c", "aabbc"])
def test_a_sample_goes_on_where_the_prompt_ends(prompt):
    text = Text(symbols="abcde", prompt=prompt, length=6)
    graph, state = nnx.split(Alphabet())
    tokens = sample_text(
        graph, state, jax.random.key(0), jnp.asarray(text.encode(prompt)), text.length
    )
    assert tokens.dtype == jnp.int32 and tokens.shape == (6,)
    assert text.spell(tokens) == "deabcd"


@pytest.mark.parametrize("prompt", [[0], [0, 0], [3, 1, 0, 0]])
def test_each_symbol_of_the_prompt_is_read_once(prompt):
    graph, state = nnx.split(Counter())
    tokens = sample_text(graph, state, jax.random.key(0), jnp.array(prompt), 3)
    assert tokens.tolist() == [(len(prompt) + u) % 5 for u in range(3)]


@pytest.mark.parametrize("temperature", [1.0, 0.5, 3.0])
def test_samples_have_the_frequencies_of_the_softmax(temperature):
    graph, state = nnx.split(Coin())
    tokens = sample_text(graph, state, jax.random.key(0), jnp.array([0]), 2000, temperature)
    assert set(np.asarray(tokens)) == {0, 1}
    p = 1 / (1 + np.exp(-1 / temperature))
    # Five standard deviations.
    assert abs(float(tokens.mean()) - p) < 5 * np.sqrt(p * (1 - p) / 2000)


@pytest.mark.parametrize("given", [1, 3, T])
def test_free_running_reads_its_own_outputs(given):
    """Against a loop that reads all anew, what was given and what was said."""
    spec = TaskSpec(Features(2), "step", 2, T, causal=True, targets="values")
    net = jax.tree.map(lambda leaf: leaf / 2, model(spec))
    inputs = random_batch(spec, B, lengths=[T, 1, 3, T]).inputs
    found = jax.jit(partial(free_running, given=given))(net, inputs)
    assert np.asarray(found.lengths).tolist() == [max(n - given + 1, 0) for n in (T, 1, 3, T)]
    assert found.values.shape == (B, T - given + 1, 2)
    for b in range(B):
        values = np.array(inputs.values)
        for step in range(int(found.lengths[b])):
            read = Sequences(jnp.asarray(values[b : b + 1]), jnp.array([given + step]))
            y = np.asarray(said(net, read))[0, given + step - 1]
            np.testing.assert_allclose(found.values[b, step], y, rtol=1e-4, atol=1e-5)
            if given + step < T:
                values[b, given + step] = y


class Switching:
    """Wants on what is off, surely; and a third feature on half of the time."""

    def prefill(self, inputs: Sequences) -> jax.Array:
        return jnp.zeros(inputs.lengths.shape)

    def step(self, carry: jax.Array, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        return carry, jnp.where(jnp.arange(3) < 2, 99 * (1 - 2 * x), 0)


def test_free_running_needs_the_steps_that_are_given():
    inputs = Sequences(jnp.zeros((2, 3, 3)), jnp.array([3, 1]))
    with pytest.raises(SeqexpError, match="inputs of 3 steps are fewer than the 4 given"):
        free_running(Switching(), inputs, 4)  # type: ignore[arg-type]


def test_free_running_reads_what_it_draws():
    batch_size, steps = 50, 40
    values = jnp.broadcast_to(jnp.array([1.0, 0, 0]), (batch_size, steps, 3))
    inputs = Sequences(values, jnp.full(batch_size, steps))
    draw = jax.jit(partial(free_running, Switching(), given=2))  # type: ignore[arg-type]
    found = np.asarray(draw(inputs, key=jax.random.key(0)).values)
    assert found.shape == (batch_size, steps - 1, 3) and found.dtype == np.float32
    np.testing.assert_array_equal(found[:, ::2, :2], np.broadcast_to([0, 1], (50, 20, 2)))
    np.testing.assert_array_equal(found[:, 1::2, :2], np.broadcast_to([1, 0], (50, 19, 2)))
    assert set(np.unique(found)) == {0, 1}
    # Of 1950 fair draws 0.5 with a deviation of 0.011.
    assert abs(found[..., 2].mean() - 0.5) < 0.05
    assert np.any(found != np.asarray(draw(inputs, key=jax.random.key(1)).values))
