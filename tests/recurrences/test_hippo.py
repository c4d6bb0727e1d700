"""HiPPO: what its matrices are for, by closed forms and by windows that are reconstructed."""

from __future__ import annotations

import numpy as np
import pytest

from seqexp.recurrences import hippo


@pytest.mark.parametrize("power", [0, 1, 2, 3])
def test_legs_has_the_legendre_coefficients_of_a_power(power):
    """Of u(s) = s^k, d/dt c = (A c + B u) / t has c(t) = t^k c(1), so k c = A c + B with c the
    coefficients of s^k in the polynomials sqrt(2n + 1) P_n(2s - 1), by quadrature."""
    order = 5
    A, B = hippo.legs(order)
    points, weights = np.polynomial.legendre.leggauss(20)
    basis = np.polynomial.legendre.legvander(points, order - 1) * np.sqrt(2 * np.arange(order) + 1)
    c = (weights / 2 * ((points + 1) / 2) ** power) @ basis
    np.testing.assert_allclose(A @ c + B, power * c, atol=1e-12)


def test_legt_is_the_published_matrix():
    """Voelker et al. 2019, equation 2, written out for d = 3."""
    A, B = hippo.legt(3)
    np.testing.assert_array_equal(A, [[-1, -1, -1], [3, -3, -3], [-5, 5, -5]])
    np.testing.assert_array_equal(B, [1, -3, 5])


def test_legt_reconstructs_a_window_of_a_signal():
    """The last theta steps of slow sines, held between steps: half a step late, on average."""
    order, theta = 20, 100
    A, B = hippo.held(order, theta)

    def signal(t):
        return np.sin(2 * np.pi * t / 200) + 0.5 * np.cos(2 * np.pi * t / 500)

    x = np.zeros(order)
    for t in range(1000):
        x = A @ x + B * signal(t)
    r = np.linspace(0.1, 0.9, 9)
    found = hippo.legendre(order, r) @ x
    np.testing.assert_allclose(found, signal(999.5 - theta * r), atol=2e-3)


def test_a_held_constant_is_a_constant():
    """Of u = 1 the coefficients are 1, 0, 0, ...; under zero-order hold exactly."""
    A, B = hippo.held(6, 10.0)
    still = np.eye(6)[0]
    np.testing.assert_allclose(A @ still + B, still, atol=1e-12)


def test_holding_is_exact_for_any_step():
    """Two steps of theta are one of theta / 2."""
    A, B = hippo.held(6, 10.0)
    longer, entering = hippo.held(6, 5.0)
    np.testing.assert_allclose(A @ A, longer, atol=1e-12)
    np.testing.assert_allclose(A @ B + B, entering, atol=1e-12)


@pytest.mark.parametrize("order", [1, 4, 7])
def test_the_normal_part_of_legs_is_diagonal_in_a_unitary_basis(order):
    """A = V diag(lambda) V^* - p p^T with p_n = sqrt(n + 1/2)."""
    eigenvalues, V = hippo.legs_normal(order)
    p = np.sqrt(np.arange(order) + 0.5)
    A = V @ np.diag(eigenvalues) @ V.conj().T - np.outer(p, p)
    np.testing.assert_allclose(A, hippo.legs(order).A, atol=1e-12)
    np.testing.assert_allclose(V @ V.conj().T, np.eye(order), atol=1e-12)
    np.testing.assert_allclose(np.real(eigenvalues), -0.5)
    np.testing.assert_allclose(eigenvalues, eigenvalues[::-1].conj(), atol=1e-12)
