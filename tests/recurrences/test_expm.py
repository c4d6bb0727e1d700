"""The matrix exponential against that of jax.scipy, and its gradient against finite differences."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from seqexp.recurrences.expm import expm
from tests.full import full
from tests.variants import quick_jit


def drawn(n=5, norm=1.0):
    x = np.random.default_rng(0).normal(size=(n, n))
    return x * (norm / np.abs(x).sum(0).max())


def series(x):
    """exp(X) in its own basis of eigenvectors."""
    values, vectors = np.linalg.eig(x)
    return (vectors * np.exp(values) @ np.linalg.inv(vectors)).real


@pytest.mark.parametrize("norm", [0.2, 3, 20])
def test_it_is_the_exponential(norm):
    x = drawn(norm=norm)
    with jax.enable_x64(True):
        found = np.asarray(quick_jit(expm)(x))
    np.testing.assert_allclose(found, series(x), rtol=1e-10, atol=1e-12 * np.abs(found).max())


@pytest.mark.parametrize("norm", [1, 100, 4000])
def test_of_a_skew_symmetric_matrix_it_is_orthogonal_in_float32(norm):
    x = drawn()
    x = ((x - x.T) * norm / np.abs(x - x.T).sum(0).max()).astype(np.float32)
    found = np.asarray(quick_jit(expm)(x))
    np.testing.assert_allclose(found.T @ found, np.eye(5), atol=max(1, norm) * 1e-6)


def test_of_nothing_it_is_the_identity():
    np.testing.assert_array_equal(quick_jit(expm)(jnp.zeros((3, 3))), np.eye(3))
    np.testing.assert_allclose(quick_jit(jax.grad(lambda x: expm(x).sum()))(jnp.zeros((3, 3))), 1)


@pytest.mark.parametrize("norm", [full(0.2), 3])
def test_its_gradient_is_that_of_finite_differences(norm):
    with jax.enable_x64(True):
        check_grads(jax.jit(expm), (drawn(norm=norm),), order=1, modes=["rev"], rtol=1e-7)
