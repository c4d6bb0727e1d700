"""How cells start, and what they refuse."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from seqexp.cells import GRU, LSTM, Elman
from seqexp.types import SeqexpError
from tests.variants import bare_cells, cell_classes, drawn, quick


def gate_blocks(kernel, gates):
    return np.split(np.asarray(kernel[...]), gates, axis=1)


@pytest.mark.parametrize("kind, gates", [(Elman, 1), (LSTM, 4), (GRU, 3)])
def test_each_gate_starts_with_an_orthogonal_recurrent_and_a_glorot_input_kernel(kind, gates):
    cell = kind(3, 4, rngs=nnx.Rngs(0))
    recurrent = gate_blocks(cell.recurrent_kernel, gates)
    for block in recurrent:
        np.testing.assert_allclose(block.T @ block, np.eye(4), atol=1e-5)
    for one, other in zip(recurrent, recurrent[1:], strict=False):
        assert not np.allclose(one, other)
    bound = np.sqrt(6 / (3 + 4))
    for block in gate_blocks(cell.input_kernel, gates):
        assert 0.5 * bound < np.abs(block).max() <= bound


def test_forget_bias_is_that_of_the_forget_gate():
    bias = LSTM(3, 4, forget_bias=1.5, rngs=nnx.Rngs(0)).bias[...].reshape(4, 4)
    np.testing.assert_array_equal(bias, [[0] * 4, [1.5] * 4, [0] * 4, [0] * 4])


def test_a_coupled_lstm_forgets_as_much_at_first_as_a_plain_one():
    cell = LSTM(3, 4, forget_bias=1.5, coupled=True, rngs=nnx.Rngs(0))
    carry = cell.initial_carry(1)._replace(c=jnp.ones((1, 4)))
    cell.recurrent_kernel[...] = jnp.zeros((4, 12))
    (c, _), _ = cell.step(carry, jnp.zeros((1, 3)))
    np.testing.assert_allclose(c, np.full((1, 4), 1 / (1 + np.exp(-1.5))), rtol=1e-6)


def test_irnn_starts_as_the_identity():
    cell = Elman(
        2, 3, activation="relu", recurrent_init="identity", recurrent_scale=0.5, rngs=nnx.Rngs(0)
    )
    np.testing.assert_array_equal(cell.recurrent_kernel[...], 0.5 * np.eye(3))
    ys, _ = cell.unroll(
        jnp.zeros((2, 1, 2)), carry=cell.initial_carry(1)._replace(h=jnp.array([[4.0, 8.0, -4.0]]))
    )
    np.testing.assert_array_equal(ys[:, 0], [[2, 4, 0], [1, 2, 0]])


def test_an_initialiser_may_be_a_callable():
    cell = GRU(2, 3, input_init=jax.nn.initializers.constant(0.25), rngs=nnx.Rngs(0))
    np.testing.assert_array_equal(cell.input_kernel[...], np.full((2, 9), 0.25))


@pytest.mark.parametrize("name", quick(bare_cells()))
def test_initial_carry_is_zero_and_holds_the_output(name):
    cell = drawn(bare_cells()[name], np.float32)
    carry = cell.initial_carry(2)
    assert all(part.shape[0] == 2 and not part.any() for part in jax.tree.leaves(carry))
    new, y = cell.step(carry, jnp.ones((2, cell.in_features)))
    assert y.shape == (2, cell.out_features)
    np.testing.assert_array_equal(cell.output(new), y)
    assert cell.dropout_masks(jax.random.key(0), 2, 5) == {}


@pytest.mark.parametrize("name", cell_classes())
@pytest.mark.parametrize("sizes", [(0, 4), (3, 0), (3, -1), (3, 2.5)])
def test_impossible_sizes_are_refused(name, sizes):
    with pytest.raises(SeqexpError, match="whole number of at least 1"):
        cell_classes()[name](*sizes, rngs=nnx.Rngs(0))


@pytest.mark.parametrize(
    "kind, options, message",
    [
        (Elman, {"activation": "swish"}, "unknown activation 'swish': use tanh or relu"),
        (Elman, {"recurrent_init": "eye"}, "unknown initialiser 'eye': use glorot, orthogonal"),
        (GRU, {"reset": "never"}, "unknown reset 'never': use before or after"),
        (LSTM, {"projection": 0}, "projection must be None or a whole number of at least 1"),
        (LSTM, {"input_init": "he"}, "unknown initialiser 'he'"),
    ],
)
def test_unknown_options_are_refused(kind, options, message):
    with pytest.raises(SeqexpError, match=message):
        kind(2, 3, **options, rngs=nnx.Rngs(0))


def test_elman_has_no_update_to_drop():
    cell = Elman(2, 3, rngs=nnx.Rngs(0))
    with pytest.raises(SeqexpError, match="no update to drop"):
        cell.unroll(jnp.ones((2, 1, 2)), dropout={"update": jnp.ones((2, 1, 3))})
