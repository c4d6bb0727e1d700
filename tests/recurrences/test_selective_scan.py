"""The selective scan against its steps: outputs, final state and every gradient, and its memory."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqexp.recurrences import selective_scan
from tests.full import full
from tests.references.state_spaces import selective
from tests.variants import quick_jit

B, E, N = 2, 3, 4


def draw(steps, dtype: Any = np.float64) -> list[np.ndarray]:
    """us, dt, A, B, C and h."""
    rng = np.random.default_rng(0)
    shapes = [(steps, B, E), (steps, B, E), (N, E), (steps, B, N), (steps, B, N), (B, N, E)]
    us, dt, A, *rest = (rng.normal(0, 0.7, shape).astype(dtype) for shape in shapes)
    return [us, np.abs(dt), -np.abs(A), *rest]


def by_steps(us, dt, A, B, C, h, mask):
    ys = []
    for t in range(len(us)):
        y, new = selective_scan.step(us[t], dt[t], A, B[t], C[t], h)
        real = np.ones(len(h), bool) if mask is None else mask[t]
        h = jnp.where(real[:, None, None], new, h)
        ys.append(jnp.where(real[:, None], y, 0))
    return jnp.stack(ys), h


def scored(run, inputs, mask):
    def score(inputs):
        ys, final = run(*inputs, mask)
        return jnp.sum(jnp.sin(ys)) + jnp.sum(jnp.cos(final)), (ys, final)

    return jax.value_and_grad(score, has_aux=True)(inputs)


@pytest.mark.parametrize(
    "steps, padded", [(7, True), full(1, False), full(8, False), full(3, True)]
)
def test_outputs_states_and_gradients_are_those_of_steps(steps, padded, monkeypatch):
    monkeypatch.setattr(selective_scan, "CHUNK", 4)
    mask = np.arange(steps)[:, None] < np.array([steps, steps // 2]) if padded else None
    inputs = draw(steps)
    with jax.enable_x64(True):
        found, right = quick_jit(
            lambda inputs: [scored(run, inputs, mask) for run in (selective_scan.unroll, by_steps)]
        )(inputs)
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(right), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)


def test_a_step_is_that_of_the_paper():
    us, dt, A, Bs, Cs, _ = draw(7)
    with jax.enable_x64(True):
        ys, _ = quick_jit(selective_scan.unroll)(us, dt, A, Bs, Cs, np.zeros((B, N, E)), None)
    for row in range(B):
        right = selective(us[:, row], dt[:, row], A.T, Bs[:, row], Cs[:, row], np.zeros(E))
        np.testing.assert_allclose(ys[:, row], right, rtol=0, atol=1e-10)


def test_what_stands_at_padding_never_matters():
    mask = np.arange(5)[:, None] < np.array([5, 2])
    clean = draw(5)
    dirty = [np.where(mask[..., None], part, 1e200) if len(part) == 5 else part for part in clean]
    run = quick_jit(lambda inputs: scored(selective_scan.unroll, inputs, mask))
    with jax.enable_x64(True):
        right, found = run(clean), run(dirty)
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(right), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)
    for gradient in found[1]:
        if len(gradient) == 5:
            np.testing.assert_array_equal(np.asarray(gradient)[~mask], 0)


@pytest.mark.full
def test_memory_does_not_hold_the_states_of_all_steps():
    """Of N = 64 states a unit, gradients take less than half of `[T, B, N, E]`."""
    steps, batch, width, state = 1024, 2, 32, 64
    form = jax.ShapeDtypeStruct
    sizes = [(steps, batch, width)] * 2 + [(state, width)] + [(steps, batch, state)] * 2
    inputs: Any = [form(size, np.float32) for size in (*sizes, (batch, state, width))]
    gradient = jax.grad(lambda inputs: selective_scan.unroll(*inputs, mask=None)[0].sum())
    compiled = jax.jit(gradient).lower(inputs).compile()
    used = compiled.memory_analysis()
    assert used is not None
    assert used.temp_size_in_bytes < 4 * steps * batch * width * state / 2
