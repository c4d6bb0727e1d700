"""HiPPO: matrices of linear systems that remember their past as polynomials."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Complex, Float


class Hippo(NamedTuple):
    """d/dt x = A x + B u.

    Attributes:
        A: `[N, N]`, float64.
        B: `[N]`.
    """

    A: Float[np.ndarray, "N N"]
    B: Float[np.ndarray, " N"]


def legs(order: int) -> Hippo:
    """LegS, the scaled Legendre measure: all of the past (Gu et al. 2020,
    https://arxiv.org/abs/2008.07669, theorem 2), as S4 uses it, without the 1 / t.

        A_nk = -sqrt(2n + 1) sqrt(2k + 1) for n > k, -(n + 1) for n = k, 0 for n < k
        B_n = sqrt(2n + 1)

    Args:
        order: N.
    """
    root = np.sqrt(2 * np.arange(order) + 1.0)
    return Hippo(-np.tril(np.outer(root, root), -1) - np.diag(np.arange(order) + 1.0), root)


def legt(order: int) -> Hippo:
    """LegT, the translated Legendre measure: a window of the past, in its length's unit (Voelker
    et al. 2019, https://papers.nips.cc/paper/9689, equation 2; theta = 1).

        A_ij = (2i + 1) (-1 for i < j, else (-1)^(i - j + 1))
        B_i = (2i + 1) (-1)^i

    `u(t - r)` is about `legendre(order, r) @ x(t)` for r from 0 to 1.

    Args:
        order: N.
    """
    i, j = np.ogrid[:order, :order]
    A = (2 * i + 1.0) * np.where(i < j, -1.0, (-1.0) ** (i - j + 1))
    n = np.arange(order)
    return Hippo(A, (2 * n + 1.0) * (-1.0) ** n)


def legendre(order: int, r: Float[np.ndarray, "*R"]) -> Float[np.ndarray, "*R N"]:
    """Shifted Legendre polynomials, by which `legt` decodes its window (equation 3).

        P_i(r) = P_i^legendre(2r - 1)

    Args:
        order: N, how many.
        r: from 0, now, to 1, the end of the window.
    """
    return np.polynomial.legendre.legvander(2 * np.asarray(r) - 1, order - 1)


def legs_normal(order: int) -> tuple[Complex[np.ndarray, " N"], Complex[np.ndarray, "N N"]]:
    """Eigenvalues and eigenvectors of the normal part of LegS, HiPPO-N (Gu et al. 2022,
    https://arxiv.org/abs/2206.11893; Smith et al. 2023, https://arxiv.org/abs/2208.04933).

        A = S - 1/2 I - p p^T,  p_n = sqrt(n + 1/2),  S antisymmetric
        S - 1/2 I = V diag(lambda) V^*

    Args:
        order: N.

    Returns:
        lambda `[N]`, all of real part -1/2, by falling imaginary parts, and V `[N, N]`, unitary.
    """
    A, _ = legs(order)
    p = np.sqrt(np.arange(order) + 0.5)
    antisymmetric = A + np.outer(p, p) + 0.5 * np.eye(order)
    # i S is Hermitian, whose eigenvalues are real and its eigenvectors orthogonal.
    imaginary, vectors = np.linalg.eigh(-1j * antisymmetric)
    return -0.5 + 1j * imaginary[::-1], vectors[:, ::-1]


@cache
def held(order: int, theta: float) -> Hippo:
    """LegT of a window of theta steps, discretised by zero-order hold with a step of 1.

        A' = exp(A / theta),  B' = A^-1 (A' - I) B

    Args:
        order: N.
        theta: the window's length in steps.
    """
    from scipy.linalg import expm  # takes a tenth of a second, and one cell needs it

    A, B = legt(order)
    # exp of the augmented matrix has both, without inverting A.
    joint = expm(np.block([[A, B[:, None]], [np.zeros((1, order + 1))]]) / theta)
    return Hippo(joint[:order, :order], joint[:order, order])
