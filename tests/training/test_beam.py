"""Beam search against a slow, obvious one in Python, and against all answers that there are."""

from __future__ import annotations

from functools import cache, partial
from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from seqexp.cells import LSTM
from seqexp.models import SequenceModel
from seqexp.training.beam import beam_search
from seqexp.training.decoding import decoded, greedy
from seqexp.training.random_batch import random_batch
from seqexp.types import Batch, Beam, Features, SeqexpError, Sequences, TaskSpec
from tests.full import full

START, END = 0, 1


class Table(nnx.Module):
    """Logits of the next token by the sum of the inputs, the number of tokens read and the last two
    of them."""

    def __init__(self, vocabulary: int, seed: int, scale: float = 2.0):
        rng = np.random.default_rng(seed)
        shape = (5, 8, vocabulary, vocabulary, vocabulary)
        self.logits = nnx.Param(jnp.asarray(scale * rng.standard_normal(shape), jnp.float32))

    def prefill(self, inputs: Sequences) -> Any:
        total = jnp.where(inputs.mask, inputs.values, 0).sum(1) % 5
        return total, jnp.zeros_like(total), jnp.zeros_like(total)

    def step(self, carry: Any, x: Any) -> Any:
        total, count, before = carry
        return (total, count + 1, x), self.logits[...][total, count, before, x]


@cache
def table(vocabulary: int, seed: int = 0) -> Table:
    return Table(vocabulary, seed)


def log_probabilities(net: Table, source: int, answer: list[int]) -> np.ndarray:
    """Of what follows an answer."""
    before, last = ([0, START, *answer])[-2:]
    logits = np.asarray(net.logits[...], np.float64)[source, len(answer), before, last]
    return logits - np.log(np.exp(logits).sum())


def score(log_p: float, tokens: int, alpha: float) -> float:
    return log_p / ((5 + tokens) / 6) ** alpha


def slow(net: Table, source: int, length: int, width: int, alpha: float) -> list[Any]:
    """(tokens with their end, score), the best first."""
    beam: list[tuple[list[int], float]] = [([], 0.0)]
    for _ in range(length):
        finished = [each for each in beam if END in each[0]]
        longer = [
            ([*answer, token], log_p + float(following))
            for answer, log_p in beam
            if END not in answer
            for token, following in enumerate(log_probabilities(net, source, answer))
        ]
        longer.sort(key=lambda each: -each[1])
        beam = finished + longer[: width - len(finished)]
    ranked = [(answer, score(log_p, len(answer), alpha)) for answer, log_p in beam]
    return sorted(ranked, key=lambda each: -each[1])


def all_answers(net: Table, source: int, V: int, length: int, alpha: float) -> list[Any]:
    """Every answer that ends, and every one that is cut, with its score."""
    found = []
    for steps in range(1, length + 1):
        for answer in product(range(V), repeat=steps):
            if END in answer[:-1] or (steps < length and answer[-1] != END):
                continue
            log_p = sum(
                log_probabilities(net, source, list(answer[:u]))[answer[u]] for u in range(steps)
            )
            found.append((list(answer), score(log_p, steps, alpha)))
    return sorted(found, key=lambda each: -each[1])


def sources(values: list[list[int]], lengths: list[int]) -> Sequences:
    return Sequences(jnp.asarray(values, jnp.int32), jnp.asarray(lengths, jnp.int32))


INPUTS = sources([[1, 1, 2], [3, 0, 0], [2, 1, 0], [0, 0, 0]], [3, 1, 2, 1])
TOTALS = [4, 3, 3, 0]


@partial(jax.jit, static_argnames=("length", "width"))
def searched(net: Any, inputs: Sequences, alpha: float = 0.0, *, length: int, width: int) -> Any:
    how = {"length": length, "width": width, "length_penalty": alpha}
    return beam_search(net, inputs, start=START, end=END, **how)


def told(found: Any, row: int) -> list[Any]:
    """The hypotheses of an example, each without its end, with its score."""
    return [
        (np.asarray(tokens)[: int(n)].tolist(), float(each))
        for tokens, n, each in zip(*(part[row] for part in found), strict=True)
    ]


def without_end(answers: list[Any]) -> list[Any]:
    return [([token for token in answer if token != END], each) for answer, each in answers]


def assert_same(found: list[Any], expected: list[Any]) -> None:
    assert [answer for answer, _ in found] == [answer for answer, _ in expected]
    np.testing.assert_allclose([s for _, s in found], [s for _, s in expected], rtol=1e-4)


@pytest.mark.parametrize("alpha", [0.0, 0.6, 2.0])
@pytest.mark.parametrize(("V", "length", "width"), [(5, 1, 3), (5, 6, 1), (5, 6, 4), (7, 7, 3)])
def test_a_beam_finds_what_the_slow_one_does(V, length, width, alpha):
    net = table(V)
    found = searched(net, INPUTS, alpha, length=length, width=width)
    assert found.tokens.shape == (4, width, length) and found.tokens.dtype == jnp.int32
    for row, source in enumerate(TOTALS):
        expected = without_end(slow(net, source, length, width, alpha))
        assert_same(told(found, row), expected)


@pytest.mark.parametrize("alpha", [0.0, 1.0])
@pytest.mark.parametrize(("V", "length", "count"), [full(3, 4, 31), (4, 2, 13), full(3, 1, 3)])
def test_a_beam_wide_enough_finds_all_answers_in_their_order(V, length, count, alpha):
    """And nothing but them, where it has room for more."""
    net = table(V)
    found = searched(net, INPUTS, alpha, length=length, width=count + 4)
    for row, source in enumerate(TOTALS):
        expected = without_end(all_answers(net, source, V, length, alpha))
        assert len(expected) == count
        assert_same(told(found, row)[:count], expected)
        assert told(found, row)[count:] == [([], -np.inf)] * 4
    total = np.exp(np.asarray(searched(net, INPUTS, length=length, width=count).scores)).sum(1)
    np.testing.assert_allclose(total, 1, rtol=1e-5)


FREE = TaskSpec(Features(2), "free", 5, 4, causal=False, max_answer_length=6, start=START, end=END)


@cache
def lstm() -> SequenceModel:
    """With parameters so large that what is read and written decides."""
    shape = {"features": 6, "depth": 1, "dropout": 0.0, "residual": False, "norm": "none"}
    net = SequenceModel(FREE, cell=LSTM, pooling="last", **shape, rngs=nnx.Rngs(0))  # type: ignore
    rng = np.random.default_rng(1)
    return jax.tree.map(lambda leaf: jnp.asarray(rng.normal(0, 1.5, leaf.shape), leaf.dtype), net)


def some(count: int) -> Batch:
    rng = np.random.default_rng(0)
    return random_batch(FREE, count, lengths=rng.integers(1, 5, count).tolist())


@pytest.mark.parametrize("alpha", [full(0.0), 1.0])
def test_a_beam_of_1_is_greedy(alpha):
    batch, net = some(30), lstm()
    expected = jax.jit(lambda net: greedy(FREE, net, batch))(net)
    found = jax.jit(lambda net: decoded(FREE, net, batch, Beam(1, alpha)))(net)
    np.testing.assert_array_equal(found.values, expected.values)
    np.testing.assert_array_equal(found.lengths, expected.lengths)
    assert {0, 6} <= set(np.asarray(found.lengths).tolist()), "some end at once, some never"


def test_scores_are_the_probabilities_that_the_model_says_of_the_whole():
    """By teacher forcing over the hypothesis that was found."""
    batch, net = some(6), lstm()
    found = searched(net, batch.inputs, length=6, width=3)
    for w in range(3):
        tokens = np.asarray(found.tokens[:, w])
        prefix = np.concatenate([np.full((6, 1), START), tokens[:, :-1]], axis=1)
        written = np.minimum(np.asarray(found.lengths[:, w]) + 1, 6)
        outputs = net(batch.inputs, Sequences(jnp.asarray(prefix), jnp.asarray(written))).outputs
        said = np.take_along_axis(
            np.asarray(jax.nn.log_softmax(outputs)), tokens[..., None], axis=2
        )[..., 0]
        expected = np.where(np.arange(6) < written[:, None], said, 0).sum(1)
        np.testing.assert_allclose(found.scores[:, w], expected, rtol=1e-4)


def test_padding_of_the_inputs_never_matters():
    """More of it, nonsense in it, other examples beside it."""
    batch, net = some(6), lstm()
    found = searched(net, batch.inputs, length=6, width=3)
    values = np.full((6, 9, 2), np.nan, np.float32)
    mask = np.asarray(batch.inputs.mask)
    values[:, :4][mask] = np.asarray(batch.inputs.values)[mask]
    wider = Sequences(jnp.asarray(values), batch.inputs.lengths)
    again = searched(net, wider, length=6, width=3)
    alone = searched(net, jax.tree.map(lambda a: a[2:3], wider), length=6, width=3)
    for other, rows in ((again, slice(None)), (alone, slice(2, 3))):
        np.testing.assert_array_equal(other.tokens, found.tokens[rows])
        np.testing.assert_allclose(other.scores, found.scores[rows], rtol=1e-4)


class Constant(nnx.Module):
    """The same logits at each step."""

    def __init__(self, *logits: float):
        self.logits = nnx.Param(jnp.asarray(logits))

    def prefill(self, inputs: Sequences) -> Any:
        return inputs.lengths

    def step(self, carry: Any, x: Any) -> Any:
        return carry, jnp.broadcast_to(self.logits[...], (x.shape[0], self.logits.shape[0]))


def test_of_equals_the_earlier_hypothesis_and_the_smaller_token_come_first():
    found = searched(Constant(0.0, -jnp.inf, 0.0, 0.0), INPUTS, length=2, width=4)
    assert found.tokens[0].tolist() == [[0, 0], [0, 2], [0, 3], [2, 0]]


def test_a_finished_hypothesis_stays_whatever_comes_later():
    """With end at once at p = 0.2 and 0 at p = 0.8 at each step, the two hypotheses are end, and
    always 0, though at a beam of 2 `0 end` is likelier than end would be after many steps."""
    net = Constant(float(np.log(0.8)), float(np.log(0.2)))
    found = searched(net, INPUTS, length=40, width=2)
    (first, one), (second, other) = told(found, 0)
    assert first == [] and one == pytest.approx(np.log(0.2), rel=1e-5)
    assert second == [0] * 40 and other == pytest.approx(40 * np.log(0.8), rel=1e-5)
    longest = searched(net, INPUTS, 1.0, length=40, width=2)
    assert int(longest.lengths[0, 0]) == 40, "a length penalty of 1 prefers the long one"


@pytest.mark.parametrize(("width", "alpha"), [(0, 0.0), (True, 0.0), (2.0, 0.0), (2, -1.0)])
def test_an_impossible_beam_is_refused(width, alpha):
    with pytest.raises(SeqexpError, match="width of a beam|length_penalty"):
        Beam(width, alpha)
