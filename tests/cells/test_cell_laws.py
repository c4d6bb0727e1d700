"""Laws 1 to 3, for every cell, every option and every wrapper.

The reference knows no time loop, no mask and no batch of unequal lengths: it steps each sequence
through its cell alone, true step by true step. `unroll` must give the same outputs, final carries
and gradients, with NaN standing at every padded input.
"""

from __future__ import annotations

from functools import partial

import jax
import numpy as np
import pytest

from seqexp.types import Noise
from tests.variants import (
    IN_FEATURES,
    bare_cells,
    cell_classes,
    drawn,
    quick_jit,
    unroll,
    wrapped_cells,
)

BATCH, STEPS = 3, 5
RAGGED = (2, 5, 0)

BARE = bare_cells()
QUICK = BARE | wrapped_cells(full=False)
EVERY = QUICK | wrapped_cells(full=True)


def case(make, lengths, dtype: type = np.float64):
    """A cell, inputs with NaN at padding, a carry and noise, all drawn by numpy."""
    rng = np.random.default_rng(1)
    cell = drawn(make, dtype)
    xs = rng.normal(size=(BATCH, STEPS, IN_FEATURES)).astype(dtype)
    for row, length in enumerate(lengths or []):
        xs[row, length:] = np.nan
    carry = jax.tree.map(
        lambda part: rng.normal(0, 0.5, part.shape).astype(dtype),
        jax.eval_shape(lambda: cell.initial_carry(BATCH)),
    )
    noise = jax.tree.map(
        lambda mask: (
            rng.random(mask.shape) < 0.3
            if mask.dtype == bool
            else np.where(rng.random(mask.shape) < 0.3, 0, 1.5).astype(dtype)
        ),
        jax.eval_shape(lambda: cell.draw(jax.random.key(0), BATCH, STEPS)),
    )
    return cell, xs, carry, noise


def weights(array):
    """A weight of its own for every output and every part of a carry: what they pull back."""
    return np.cos(np.arange(array.size, dtype=array.dtype)).reshape(array.shape)


@quick_jit
def step(cell, carry, x, noise):
    return cell.step(carry, x, noise)


@quick_jit
def step_gradients(cell, carry, x, noise, cotangents):
    return jax.vjp(lambda cell, *inputs: cell.step(*inputs, noise), cell, carry, x)[1](cotangents)


def noise_at(noise: Noise, t: int, row: int) -> Noise:
    now = jax.tree.map(lambda mask: mask[min(t, mask.shape[0] - 1)], noise)
    one_row = jax.tree.map(lambda mask: mask[row : row + 1], now._replace(kernel=None))
    return one_row._replace(kernel=now.kernel)


def alone(cell, xs, carry, noise, lengths, reverse):
    """Each sequence by itself, one true step after the other, and back the same way."""
    cell, xs, carry, noise = jax.tree.map(np.asarray, (cell, xs, carry, noise))
    ys = np.zeros((BATCH, STEPS, cell.out_features), xs.dtype)
    weight_of_ys = weights(ys)
    weight_of_final = jax.tree.map(weights, carry)
    cell_gradients = jax.tree.map(np.zeros_like, cell)
    xs_gradients = np.zeros_like(xs)
    finals, carry_gradients = [], []
    for row, length in enumerate(lengths or [STEPS] * BATCH):
        one = slice(row, row + 1)
        now = jax.tree.map(lambda part, one=one: part[one], carry)
        past = []
        for t in reversed(range(length)) if reverse else range(length):
            inputs = now, xs[one, t], noise_at(noise, t, row)
            past.append((t, inputs))
            now, ys[one, t] = step(cell, *inputs)
        finals.append(now)
        back = jax.tree.map(lambda part, one=one: part[one], weight_of_final)
        for t, inputs in reversed(past):
            cotangents = back, weight_of_ys[one, t]
            by_cell, back, xs_gradients[one, t] = step_gradients(cell, *inputs, cotangents)
            cell_gradients = jax.tree.map(np.add, cell_gradients, by_cell)
        carry_gradients.append(back)
    final, by_carry = (
        jax.tree.map(lambda *rows: np.concatenate(rows), *parts)
        for parts in (finals, carry_gradients)
    )
    return (ys, final), (cell_gradients, xs_gradients, by_carry)


@partial(quick_jit, static_argnames="reverse")
def unrolled(cell, xs, carry, noise, lengths, cotangents, reverse):
    def run(cell, xs, carry):
        return unroll(cell, xs, carry=carry, lengths=lengths, noise=noise, reverse=reverse)

    results, pull_back = jax.vjp(run, cell, xs, carry)
    return results, pull_back(cotangents)


def assert_agrees(make, lengths, reverse, dtype: type = np.float64, atol=1e-11):
    cell, xs, carry, noise = case(make, lengths, dtype)
    expected = alone(cell, xs, carry, noise, lengths, reverse)
    cotangents = jax.tree.map(weights, expected[0])
    array = None if lengths is None else np.array(lengths)
    found = unrolled(cell, xs, carry, noise, array, cotangents, reverse=reverse)
    named, _ = jax.tree_util.tree_flatten_with_path(expected)
    for (path, want), got in zip(named, jax.tree.leaves(found), strict=True):
        assert got.dtype == dtype
        np.testing.assert_allclose(got, want, rtol=0, atol=atol, err_msg=jax.tree_util.keystr(path))


def reach(make, reverse):
    """The steps whose inputs the outputs of the middle step depend on, by gradient."""
    cell, xs, carry, noise = case(make, [STEPS] * BATCH)
    ys = np.zeros((BATCH, STEPS, cell.out_features))
    ys[:, STEPS // 2] = 1
    cotangents = ys, jax.tree.map(np.zeros_like, carry)
    lengths = np.full(BATCH, STEPS)
    _, (_, by_xs, _) = unrolled(cell, xs, carry, noise, lengths, cotangents, reverse=reverse)
    return [t for t in range(STEPS) if np.any(by_xs[:, t] != 0)]


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


@pytest.mark.parametrize("name", QUICK)
def test_padded_sequences_are_each_alone_step_by_step(name):
    assert_agrees(QUICK[name], RAGGED, reverse=False)


@pytest.mark.parametrize("name", BARE)
def test_padded_sequences_in_reverse_are_each_alone_step_by_step(name):
    assert_agrees(BARE[name], RAGGED, reverse=True)


@pytest.mark.parametrize("name", BARE)
def test_unpadded_sequences_in_reverse_are_each_alone_step_by_step(name):
    assert_agrees(BARE[name], None, reverse=True)


@pytest.mark.parametrize("name", cell_classes())
def test_unpadded_sequences_are_each_alone_step_by_step_in_float32(name):
    assert_agrees(BARE[name], None, reverse=False, dtype=np.float32, atol=1e-5)


@pytest.mark.parametrize("name", QUICK)
def test_an_output_depends_on_no_later_input(name):
    assert reach(QUICK[name], reverse=False) == [0, 1, 2]


@pytest.mark.parametrize("name", BARE)
def test_in_reverse_an_output_depends_on_no_earlier_input(name):
    assert reach(BARE[name], reverse=True) == [2, 3, 4]


@pytest.mark.full
@pytest.mark.parametrize("lengths", [None, RAGGED], ids=["unpadded", "padded"])
@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
@pytest.mark.parametrize("name", EVERY)
def test_every_combination_is_each_alone_step_by_step(name, reverse, lengths):
    assert_agrees(EVERY[name], lengths, reverse)
