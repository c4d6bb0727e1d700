"""Diagonal state spaces in chunks against their steps: outputs, final state, every gradient."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqexp.recurrences import diagonal_filter
from tests.full import full
from tests.variants import quick_jit

T, B, H, N = 7, 3, 2, 4


def draw(width: int = H) -> list[Any]:
    """us, a, c and x."""
    rng = np.random.default_rng(0)
    us = rng.normal(size=(T, B, width))
    a, c = (tuple(rng.normal(0, 0.6, (2, width, N))) for _ in range(2))
    return [us, a, c, tuple(rng.normal(size=(2, B, width, N)))]


def by_steps(us, a, c, x, mask):
    a, c, x = (re + 1j * im for re, im in (a, c, x))
    ys = []
    for t in range(T):
        new = a * x + us[t][..., None]
        ys.append(jnp.sum(c * new, axis=-1).real)
        x = jnp.where(mask[t][:, None, None], new, x)
    return jnp.stack(ys), (x.real, x.imag)


def scored(run, inputs, mask):
    def score(inputs):
        ys, final = run(*inputs, mask)
        ys = jnp.where(mask[..., None], ys, 0)
        return sum(jnp.sum(jnp.sin(part)) for part in jax.tree.leaves((ys, final))), (ys, final)

    return jax.value_and_grad(score, has_aux=True)(inputs)


@pytest.mark.parametrize("chunk", [3, full(1), full(2), full(7), full(64)])
@pytest.mark.parametrize("lengths", [(7, 3, 0), full((7, 7, 7)), full((1, 6, 5))], ids=str)
def test_chunks_are_steps(chunk, lengths, monkeypatch):
    monkeypatch.setattr(diagonal_filter, "CHUNK", chunk)
    mask = np.arange(T)[:, None] < np.array(lengths)
    with jax.enable_x64(True):
        found, right = quick_jit(
            lambda inputs: [scored(run, inputs, mask) for run in (diagonal_filter.unroll, by_steps)]
        )(draw())
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(right), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("at_once", [2, full(1), full(3), full(4)])
def test_features_come_in_blocks(at_once, monkeypatch):
    """Five features, so that the last block is not always a whole one."""
    monkeypatch.setattr(diagonal_filter, "CHUNK", 3)
    monkeypatch.setattr(diagonal_filter, "FEATURES", at_once)
    mask = np.arange(T)[:, None] < np.array((7, 3, 0))
    with jax.enable_x64(True):
        found, right = quick_jit(
            lambda inputs: [scored(run, inputs, mask) for run in (diagonal_filter.unroll, by_steps)]
        )(draw(5))
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(right), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-11)


@pytest.mark.full
@pytest.mark.parametrize("chunk", [1, 3, 7])
def test_no_mask_is_a_mask_of_true(chunk, monkeypatch):
    monkeypatch.setattr(diagonal_filter, "CHUNK", chunk)
    mask = np.ones((T, B), bool)
    with jax.enable_x64(True):
        run = quick_jit(lambda inputs, mask: diagonal_filter.unroll(*inputs, mask=mask))
        found, right = run(draw(), None), run(draw(), mask)
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(right), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)


def test_an_eigenvalue_of_0_has_finite_gradients():
    us, a, c, x = draw()
    zeros = np.zeros((H, N)), np.zeros((H, N))
    mask = np.ones((T, B), bool)
    with jax.enable_x64(True):
        found = quick_jit(lambda inputs: scored(diagonal_filter.unroll, inputs, mask))(
            [us, zeros, c, x]
        )
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(found))


@pytest.mark.full
def test_memory_does_not_hold_the_states_of_all_steps():
    """Of N = 32 complex states a feature, gradients take less than half of `[T, B, H, N]`."""
    steps, batch, width, state = 1024, 2, 32, 32
    form = jax.ShapeDtypeStruct
    pair = (form((width, state), np.float32),) * 2
    first = (form((batch, width, state), np.float32),) * 2
    inputs: Any = [form((steps, batch, width), np.float32), pair, pair, first]
    gradient = jax.grad(lambda inputs: diagonal_filter.unroll(*inputs, mask=None)[0].sum())
    used = jax.jit(gradient).lower(inputs).compile().memory_analysis()
    assert used is not None
    assert used.temp_size_in_bytes < 4 * steps * batch * width * 2 * state / 2
