"""The Legendre memory unit against its equations, and its memory against a delay."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from flax import nnx
from scipy.integrate import solve_ivp

from seqexp.cells import LMU
from seqexp.recurrences.hippo import legt
from seqexp.types import SeqexpError
from tests.full import full
from tests.references.state_spaces import lmu
from tests.variants import drawn, quick_jit, unroll

T, B, D, H, N = 7, 2, 3, 4, 5
THETA = 6.0


def make(**options):
    return LMU(D, H, rngs=nnx.Rngs(0), **{"order": N, "theta": THETA, **options})


def held_by_integration():
    """A and B of a step of 1: theta dm/dt = A m + B u for constant u, integrated."""
    A, b = legt(N)

    def after(m, u):
        solved = solve_ivp(
            lambda _, m: (A @ m + b * u) / THETA, (0, 1), m, "DOP853", rtol=1e-13, atol=1e-14
        )
        return solved.y[:, -1]

    return np.stack([after(row, 0.0) for row in np.eye(N)], axis=1), after(np.zeros(N), 1.0)


def test_outputs_are_those_of_the_equations():
    xs = np.random.default_rng(0).normal(size=(B, T, D))
    with jax.enable_x64(True):
        cell = drawn(make)
        ys, _ = quick_jit(unroll)(cell, xs)
    e_x, e_h, e_m = (
        np.asarray(p[...])[:, 0]
        for p in (cell.input_encoder, cell.recurrent_encoder, cell.recurrent_memory_encoder)
    )
    W_x, W_h, W_m = (
        np.asarray(p[...])
        for p in (cell.input_kernel, cell.recurrent_kernel, cell.recurrent_memory_kernel)
    )
    A, b = held_by_integration()
    for row in range(B):
        right = lmu(xs[row], e_x, e_h, e_m, W_x, W_h, W_m, A, b)
        np.testing.assert_allclose(ys[row], right, rtol=0, atol=1e-10)


def test_it_starts_as_published():
    """Encoders LeCun uniform, that of the memory 0, kernels Glorot normal, and no biases."""
    cell = quick_jit(lambda: LMU(100, 80, order=120, theta=50.0, rngs=nnx.Rngs(0)))()
    for encoder in (cell.input_encoder, cell.recurrent_encoder):
        bound = np.sqrt(3 / len(encoder[...]))
        assert 0.9 * bound < np.abs(encoder[...]).max() <= bound
    assert not np.any(cell.recurrent_memory_encoder[...])
    for kernel in (cell.input_kernel, cell.recurrent_kernel, cell.recurrent_memory_kernel):
        deviation = np.sqrt(2 / sum(kernel.shape))
        np.testing.assert_allclose(np.std(kernel[...]), deviation, rtol=0.05)


def test_parameters_are_counted_by_hand():
    found = sum(leaf.size for leaf in jax.tree.leaves(jax.eval_shape(make)))
    assert found == (D + H + N) * (1 + H)


@pytest.mark.parametrize("steps", [1, full(1000)])
def test_extreme_inputs_give_finite_outputs_and_gradients(steps):
    cell = drawn(lambda: make(theta=100.0), np.float32)
    # A memory that is fed back may grow without bound, as e_m likes: at the start it is 0.
    cell.recurrent_memory_encoder[...] = np.zeros((N, 1), np.float32)
    xs = 1e3 * np.random.default_rng(0).normal(size=(steps, B, D)).astype(np.float32)
    run = quick_jit(jax.value_and_grad(lambda cell, xs: cell.unroll(xs)[0].sum(), argnums=(0, 1)))
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(run(cell, xs)))


@pytest.mark.parametrize(
    "options, message",
    [
        ({"order": 0}, "order must be a whole number of at least 1, not 0"),
        ({"theta": 0.5}, "theta must be a number of at least 1, not 0.5"),
    ],
)
def test_impossible_options_are_refused(options, message):
    with pytest.raises(SeqexpError, match=message):
        jax.eval_shape(lambda: make(**options))


def test_its_memory_has_no_update_to_drop():
    cell = drawn(make, np.float32)
    carry = cell.initial_carry(B)
    with pytest.raises(SeqexpError, match="LMU writes one number into its memory"):
        cell.step(carry, np.zeros((B, D), np.float32), {"update": np.ones((B, H))})
