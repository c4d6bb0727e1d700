"""Time loops: what stands at padding, which dropout masks a step sees, what came before a step."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqexp.recurrences.masking import time_first, where_mask, zero_padding
from seqexp.recurrences.products import previous
from seqexp.recurrences.scan import scan


def test_padding_becomes_zero_and_passes_no_gradient():
    xs = jnp.array([[[1.0], [2.0]], [[3.0], [jnp.nan]]])
    lengths = jnp.array([2, 1])
    np.testing.assert_array_equal(zero_padding(xs, lengths), [[[1], [2]], [[3], [0]]])
    gradient = jax.grad(lambda xs: jnp.sum(zero_padding(xs, lengths) ** 2))(xs)
    np.testing.assert_array_equal(gradient, [[[2], [4]], [[6], [0]]])


def test_time_first_tells_the_real_steps():
    xs, mask = time_first(jnp.arange(6.0).reshape(2, 3, 1), jnp.array([3, 0]))
    np.testing.assert_array_equal(xs[:, :, 0], [[0, 0], [1, 0], [2, 0]])
    np.testing.assert_array_equal(mask, [[True, False]] * 3)
    assert time_first(jnp.ones((2, 3, 1)), None)[1] is None


def test_where_mask_chooses_along_the_leading_axes_of_every_array():
    mask = jnp.array([True, False])
    new, old = (jnp.ones(2), jnp.ones((2, 2, 2))), (jnp.zeros(2), jnp.zeros((2, 2, 2)))
    vector, cube = where_mask(mask, new, old)
    np.testing.assert_array_equal(vector, [1, 0])
    np.testing.assert_array_equal(cube[0], np.ones((2, 2)))
    np.testing.assert_array_equal(cube[1], np.zeros((2, 2)))


def total(carry, x, dropout):
    """A running sum of the inputs, each times both masks."""
    carry = carry + x * dropout["input"] * dropout["hidden"]
    return carry, carry


@pytest.mark.parametrize("reverse, expected", [(False, [2, 42, 642]), (True, [642, 640, 600])])
def test_a_step_sees_its_own_masks_and_what_is_fixed(reverse, expected):
    varying = jnp.array([1.0, 10.0, 100.0])[:, None, None]
    dropout = {"input": varying, "hidden": jnp.full((1, 1, 1), 2)}
    xs = jnp.array([1.0, 2.0, 3.0])[:, None, None]
    ys, final = scan(total, jnp.zeros((1, 1)), xs, None, dropout, reverse)
    np.testing.assert_array_equal(ys[:, 0, 0], expected)
    assert final == max(expected)


def test_a_sequence_of_one_step_sees_its_masks():
    dropout = {"input": jnp.full((1, 1, 1), 3.0), "hidden": jnp.ones((1, 1, 1))}
    ys, _ = scan(total, jnp.zeros((1, 1)), jnp.ones((1, 1, 1)), None, dropout, False)
    assert ys == 3


@pytest.mark.parametrize("reverse, expected", [(False, [1, 3, 0, 0]), (True, [3, 2, 0, 0])])
def test_the_carry_is_held_at_padding(reverse, expected):
    dropout = {"input": jnp.ones((1, 1, 1)), "hidden": jnp.ones((1, 1, 1))}
    xs = jnp.array([1.0, 2.0, 9.0, 9.0])[:, None, None]
    mask = jnp.array([[True], [True], [False], [False]])
    ys, final = scan(total, jnp.zeros((1, 1)), xs, mask, dropout, reverse)
    np.testing.assert_array_equal(ys[:, 0, 0], expected)
    assert final == 3


def test_previous_is_the_state_before_each_real_step():
    hs = jnp.array([1.0, 2.0, 0.0])[:, None, None]
    first = jnp.full((1, 1), 7.0)
    mask = jnp.array([[True], [True], [False]])
    assert previous(hs, first, mask, reverse=False)[:2, 0, 0].tolist() == [7, 1]
    assert previous(hs, first, mask, reverse=True)[:2, 0, 0].tolist() == [2, 7]
    assert previous(hs, first, None, reverse=True)[:, 0, 0].tolist() == [2, 0, 7]
