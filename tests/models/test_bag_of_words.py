"""The bag of words: its equations in NumPy, no order, a running mean, refusals."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st

from seqexp.costs import count_parameters, model_flops
from seqexp.costs.memory import carry_bytes
from seqexp.costs.parameters import count_all
from seqexp.laws.drawing import drawn
from seqexp.matching.search import match_width
from seqexp.models import BagOfWords
from seqexp.training.random_batch import random_batch
from seqexp.types import Features, SeqexpError, Sequences, TaskSpec, Tokens

V, C, T, H, D = 7, 3, 6, 4, 2
WORDS = TaskSpec(Tokens(V), "sequence", C, T, causal=False)
FRAMES = TaskSpec(Features(D), "sequence", C, T, causal=False)


def make(spec: TaskSpec, **changes: Any) -> BagOfWords:
    asked = {"features": H, "depth": 0, "dropout": 0.0} | changes
    return BagOfWords(spec, **asked, rngs=nnx.Rngs(0))


def model(spec: TaskSpec, **changes: Any) -> BagOfWords:
    """With parameters that nothing is zero in."""
    return drawn(nnx.eval_shape(lambda: make(spec, **changes)), np.random.default_rng(0), "float32")


def linear(layer: Any, x: np.ndarray) -> np.ndarray:
    return x @ np.asarray(layer.kernel[...]) + np.asarray(layer.bias[...])


@pytest.mark.parametrize("depth", [0, 2])
@pytest.mark.parametrize("spec", [WORDS, FRAMES], ids=["tokens", "features"])
def test_outputs_are_a_readout_of_the_mean_over_the_true_steps(spec, depth):
    net, batch = model(spec, depth=depth), random_batch(spec, 3, lengths=[6, 1, 4])
    outputs = np.asarray(net(batch.inputs).outputs)
    assert outputs.shape == (3, C)
    for b, n in enumerate(batch.inputs.lengths):
        xs = np.asarray(batch.inputs.values[b, :n])
        each = np.asarray(net.embed.embedding[...])[xs] if xs.ndim == 1 else linear(net.project, xs)
        m = each.mean(0)
        for layer in net.hidden:
            m = np.maximum(linear(layer, m), 0)
        np.testing.assert_allclose(outputs[b], linear(net.readout, m), rtol=1e-4, atol=1e-5)


WORDS_NET = model(WORDS)
ask = jax.jit(lambda net, inputs: net(inputs).outputs)


@settings(deadline=None, derandomize=True, max_examples=40)
@given(st.lists(st.integers(0, V - 1), min_size=1, max_size=T), st.randoms(use_true_random=False))
def test_no_order_of_the_words_matters_but_which_there_are_does(words, random):
    """Also against the same words in another proportion: one of them twice."""
    shuffled = random.sample(words, len(words))
    other = [*words[:-1], (words[-1] + 1) % V]
    values = np.zeros((3, T), np.int32)
    values[:, : len(words)] = [words, shuffled, other]
    outputs = ask(WORDS_NET, Sequences(jnp.asarray(values), jnp.full(3, len(words))))
    np.testing.assert_allclose(outputs[0], outputs[1], rtol=1e-4, atol=1e-5)
    assert not np.allclose(outputs[0], outputs[2], rtol=1e-4, atol=1e-5)


def test_an_example_that_is_padding_as_a_whole_is_finite():
    inputs = Sequences(jnp.full((2, T, D), jnp.nan), jnp.array([0, 0]))
    net = model(FRAMES)
    expected = np.asarray(net.readout.bias[...])  # type: ignore[index]
    np.testing.assert_allclose(net(inputs).outputs, [expected] * 2, rtol=1e-6)


def test_words_go_on_behind_a_prefill_as_a_running_mean():
    net, batch = model(WORDS, depth=1), random_batch(WORDS, 2, lengths=[3, 1])
    carry = net.prefill(batch.inputs)
    carry, _ = net.step(carry, jnp.array([1, 2]))
    _, found = net.step(carry, jnp.array([3, 4]))
    for b, n, behind in ((0, 3, [1, 3]), (1, 1, [2, 4])):
        whole = [*np.asarray(batch.inputs.values)[b, :n].tolist(), *behind]
        alone = net(Sequences(jnp.array([whole]), jnp.array([len(whole)]))).outputs[0]
        np.testing.assert_allclose(found[b], alone, rtol=1e-5)


def test_sizes_by_hand():
    """A table, two hidden layers, a readout; nothing grows with the length but the sum."""
    net = nnx.eval_shape(lambda: make(WORDS, depth=2))
    found = count_parameters(net)
    assert (found.embedding, found.readout, found.recurrent) == (V * H, H * C + C, 0)
    assert found.total == V * H + 2 * (H * H + H) + H * C + C
    assert model_flops(net, WORDS.example(1)).matmul == 2 * 2 * H * H + 2 * H * C
    assert net.layers == () and net.stepwise() is net
    carry = []
    jax.eval_shape(lambda: carry.append(carry_bytes(make(WORDS), WORDS.example(1).inputs)))
    assert carry == [4 * (H + 1)]


@pytest.mark.parametrize("spec", [WORDS, FRAMES], ids=["tokens", "features"])
def test_a_width_is_found_for_a_budget_of_parameters(spec):
    def count(width: int) -> int:
        return count_all(nnx.eval_shape(lambda: make(spec, features=width, depth=1)))

    found = match_width(count, 5000, multiple=1, tolerance=0.05)
    assert count(found.width) == found.reached


def test_dropout_needs_a_key():
    net, batch = model(WORDS, depth=1, dropout=0.5), random_batch(WORDS, 3)
    same = [np.asarray(net(batch.inputs).outputs) for _ in range(2)]
    np.testing.assert_array_equal(same[0], same[1])
    drawn = [np.asarray(net(batch.inputs, key=jax.random.key(k)).outputs) for k in (0, 1)]
    assert not np.allclose(drawn[0], drawn[1]) and not np.allclose(drawn[0], same[0])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"features": 0}, "model.features must be a whole number of at least 1"),
        ({"depth": -1}, "model.depth of a bag of words must be a whole number of at least 0"),
        ({"depth": 1.0}, "model.depth"),
        ({"dropout": 1.0}, "model.dropout"),
    ],
)
def test_a_wrong_argument_is_refused_by_name(changes, said):
    with pytest.raises(SeqexpError, match=said):
        make(WORDS, **changes)


@pytest.mark.parametrize(("answer", "said"), [("step", "one answer a step"), ("free", "free")])
def test_other_answers_are_refused(answer, said):
    free: Any = {"max_answer_length": 2, "start": 0, "end": 1} if answer == "free" else {}
    spec = TaskSpec(Tokens(V), answer, C, T, causal=False, **free)
    with pytest.raises(SeqexpError, match=f"one answer a sequence, and this task has {said}"):
        make(spec)
