"""Whole splits are evaluated exactly; sampled text follows the model."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from seqexp.training.evaluation import eval_batches, pooled
from seqexp.training.sampling import decode, encode, sample_tokens
from seqexp.types import Batch, Mean, Text


def split(n):
    return Batch(jnp.arange(n * 2.0).reshape(n, 2, 1), jnp.arange(n), jnp.full(n, 2))


@pytest.mark.parametrize(("n", "size", "batches"), [(10, 4, 3), (8, 4, 2), (3, 100, 1), (5, 1, 5)])
def test_every_example_is_evaluated_once(n, size, batches):
    cut = eval_batches(split(n), size)
    assert len(cut) == batches and len({b.lengths.shape for b in cut}) == 1
    lengths = np.concatenate([b.lengths for b in cut])
    targets = np.concatenate([b.targets for b in cut])
    assert targets[lengths > 0].tolist() == list(range(n))


def test_batches_of_unequal_weight_pool_to_the_mean_of_the_whole():
    values, weights = jnp.array([3.0, 10.0, 1.0]), jnp.array([3, 5, 1])
    sums = [{"x": Mean(v[None], w[None])} for v, w in zip(values, weights, strict=True)]
    assert pooled(sums)["x"] == values.sum() / weights.sum()


def test_many_small_numbers_are_not_lost_to_float32():
    large, small, one = jnp.array([1e8]), jnp.array([1.0]), jnp.array([1.0])
    sums = [{"x": Mean(large, one)}] + [{"x": Mean(small, one)}] * 100
    assert pooled(sums)["x"] == (1e8 + 100) / 101


class Alphabet(nnx.Module):
    """Says that the next symbol is the following one, as surely as floats can."""

    def initial_carry(self, batch_size):
        return jnp.zeros(batch_size)

    def step(self, carry, tokens):
        return carry + 1, 1e4 * jax.nn.one_hot((tokens + 1) % 5, 5)


def test_a_sample_goes_on_where_the_prompt_ends():
    text = Text(symbols="abcde", prompt="bc", length=6)
    graph, state = nnx.split(Alphabet())
    tokens = sample_tokens(
        graph, state, jax.random.key(0), jnp.asarray(encode(text, "bc")), text.length
    )
    assert decode(text, tokens) == "deabcd"


class Coin(Alphabet):
    """Heads and tails alike, nothing else."""

    def step(self, carry, tokens):
        return carry, jnp.tile(jnp.array([0.0, 0.0, -1e9, -1e9, -1e9]), (tokens.shape[0], 1))


def test_samples_have_the_frequencies_of_the_softmax():
    graph, state = nnx.split(Coin())
    tokens = sample_tokens(graph, state, jax.random.key(0), jnp.array([0]), 2000)
    assert set(np.asarray(tokens)) == {0, 1}
    # Five standard deviations of a fair coin.
    assert abs(float(tokens.mean()) - 0.5) < 5 * 0.5 / np.sqrt(2000)
