"""Parity with Flax's own cells, their weights copied over: outputs, final carries, gradients."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from seqexp.cells import GRU, LSTM, Elman
from tests.variants import drawn, quick_jit, unroll

B, T, D, H = 2, 4, 3, 5
LENGTHS = np.array([T, 2])


def two_linears(cell):
    """W, U and b, where Flax keeps one linear map of the input and one of the hidden units."""
    biased = cell.dense_h if cell.dense_i.bias is None else cell.dense_i
    return cell.dense_i.kernel[...], cell.dense_h.kernel[...], biased.bias[...]


def eight_linears(cell):
    """W, U and b, where Flax keeps two linear maps for each gate."""
    by_input = cell.ii, cell.if_, cell.ig, cell.io
    by_hidden = cell.hi, cell.hf, cell.hg, cell.ho
    return (
        np.concatenate([linear.kernel[...] for linear in by_input], axis=1),
        np.concatenate([linear.kernel[...] for linear in by_hidden], axis=1),
        np.concatenate([linear.bias[...] for linear in by_hidden]),
    )


PAIRS = {
    "SimpleCell": (nnx.SimpleCell, Elman, {}, two_linears),
    "LSTMCell": (nnx.LSTMCell, LSTM, {}, eight_linears),
    "OptimizedLSTMCell": (nnx.OptimizedLSTMCell, LSTM, {}, two_linears),
    "GRUCell": (nnx.GRUCell, GRU, {"reset": "after"}, two_linears),
}


def score(ys, final):
    return sum(jnp.sum(jnp.sin(part)) for part in [ys, *jax.tree.leaves(final)])


def arrays(tree):
    return [np.asarray(leaf) for leaf in jax.tree.leaves(tree)]


@pytest.mark.parametrize("name", PAIRS)
def test_outputs_carries_and_gradients_are_those_of_flax(name):
    kind, our_kind, options, weights = PAIRS[name]
    rng = np.random.default_rng(0)
    xs = rng.normal(size=(B, T, D)).astype(np.float32)

    zeros = nnx.initializers.zeros
    flax = kind(D, H, kernel_init=zeros, recurrent_kernel_init=zeros, rngs=nnx.Rngs(0))
    # nnx.RNN counts random draws in its state, so the parameters travel apart from the rest.
    graph, cell, rest = nnx.split(nnx.RNN(flax), nnx.Param, ...)
    cell = drawn(lambda: cell, np.float32)

    def flax_cell(parameters):
        return nnx.merge(graph, parameters, rest).cell

    def run_theirs(parameters, xs, carry):
        rnn: Any = nnx.merge(graph, parameters, rest)
        final, ys = rnn(xs, initial_carry=carry, seq_lengths=LENGTHS, return_carry=True)
        # Flax computes on through the padding.
        ys = jnp.where((jnp.arange(T) < LENGTHS[:, None])[:, :, None], ys, 0)
        return score(ys, final), (ys, final)

    def run_ours(ours, xs, carry):
        ys, final = unroll(ours, xs, carry=carry, lengths=LENGTHS)
        return score(ys, final), (ys, final)

    ours = drawn(lambda: our_kind(D, H, **options, rngs=nnx.Rngs(0)), np.float32)
    ours.input_kernel[...], ours.recurrent_kernel[...], ours.bias[...] = weights(flax_cell(cell))
    if our_kind is GRU:
        ours.reset_bias[...] = np.zeros(H, np.float32)
    carry = jax.tree.map(
        lambda part: rng.normal(0, 0.5, part.shape).astype(np.float32), ours.initial_carry(B)
    )
    their_carry = tuple(carry) if our_kind is LSTM else carry.h

    def with_gradients(run):
        return quick_jit(jax.value_and_grad(run, argnums=(0, 1, 2), has_aux=True))

    (_, found), (by_ours, *found_gradients) = with_gradients(run_ours)(ours, xs, carry)
    (_, expected), (by_theirs, *expected_gradients) = with_gradients(run_theirs)(
        cell, xs, their_carry
    )
    found_gradients += [by_ours.input_kernel, by_ours.recurrent_kernel, by_ours.bias]
    expected_gradients += weights(flax_cell(by_theirs))
    for got, want in zip(
        arrays((found, found_gradients)), arrays((expected, expected_gradients)), strict=True
    ):
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)
