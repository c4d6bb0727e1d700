"""Diagonal state spaces as their papers write them, with complex numbers and no shortcuts."""

from __future__ import annotations

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def gelu(x):
    """The tanh form of Hendrycks and Gimpel 2016, section 2."""
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def half_glu(y, W, b):
    return gelu(y) * sigmoid(gelu(y) @ W + b)


def full_glu(y, W, b):
    H = len(y)
    v = gelu(y)
    return (v @ W[:, :H] + b[:H]) * sigmoid(v @ W[:, H:] + b[H:])


def lru(us, nu, theta, gamma, B, C, D):
    """Orvieto et al. 2023, equations 2 and 7: `us` `[T, H]`, complex `B` `[N, H]`, `C` `[H, N]`."""
    eigenvalues = np.exp(-np.exp(nu) + 1j * np.exp(theta))
    x, ys = np.zeros(len(nu), complex), []
    for u in us:
        x = eigenvalues * x + np.exp(gamma) * (B @ u)
        ys.append(np.real(C @ x) + D * u)
    return np.array(ys)


def discrete(A, B, dt, how):
    """Smith et al. 2023, equation 6, and Gu et al. 2022 (S4D), section 2, for full matrices."""
    eye = np.eye(len(A))
    if how == "zoh":
        values, vectors = np.linalg.eig(A)
        Ad = vectors @ np.diag(np.exp(values * dt)) @ np.linalg.inv(vectors)
        return Ad, np.linalg.inv(A) @ (Ad - eye) @ B
    inverse = np.linalg.inv(eye - dt / 2 * A)
    return inverse @ (eye + dt / 2 * A), inverse @ (dt * B)


def s5(us, eigenvalues, dt, B, C, D, how):
    """Smith et al. 2023, section 3: all N states, each conjugate beside its own.

    `us` `[T, H]`, of half of the states `eigenvalues` and `dt` `[N / 2]`, `B` `[N / 2, H]`, `C`
    `[H, N / 2]`.
    """
    both = np.concatenate([eigenvalues, eigenvalues.conj()])
    dt = np.concatenate([dt, dt])
    B, C = np.concatenate([B, B.conj()]), np.concatenate([C, C.conj()], axis=1)
    x, ys = np.zeros(len(both), complex), []
    for u in us:
        new = np.zeros_like(x)
        for n in range(len(x)):
            Ad, Bd = discrete(both[n : n + 1, None], B[n : n + 1], dt[n], how)
            new[n] = (Ad @ x[n : n + 1] + Bd @ u)[0]
        x = new
        y = C @ x
        assert np.abs(np.imag(y)).max() < 1e-12
        ys.append(np.real(y) + D * u)
    return np.array(ys)


def s4d(us, eigenvalues, dt, C, D, how):
    """Gu et al. 2022, equations 2 to 4: a convolution with K_l = 2 Re(sum_n C_n A_n^l B_n).

    `us` `[T, H]`; `eigenvalues` and `C` `[H, N / 2]`, `dt` `[H]`.
    """
    T, H = us.shape
    ys = np.zeros((T, H))
    for h in range(H):
        Ad, Bd = discrete(np.diag(eigenvalues[h]), np.ones(len(C[h])), dt[h], how)
        K = [2 * np.real(C[h] @ np.linalg.matrix_power(Ad, power) @ Bd) for power in range(T)]
        for t in range(T):
            ys[t, h] = sum(K[power] * us[t - power, h] for power in range(t + 1)) + D[h] * us[t, h]
    return ys


def rg_lru(vs, W_r, b_r, W_i, b_i, Lambda):
    """De et al. 2024, equations 1 to 4, with c = 8: `vs` `[T, W]`."""
    h, hs = np.zeros(len(b_r)), []
    for v in vs:
        r, i = sigmoid(v @ W_r + b_r), sigmoid(v @ W_i + b_i)
        a = sigmoid(Lambda) ** (8 * r)
        h = a * h + np.sqrt(1 - a**2) * (i * v)
        hs.append(h)
    return np.array(hs)


def short_convolution(xs, kernel, bias):
    """Each unit with its own filter, `kernel[-1]` of the step itself."""
    K, ys = len(kernel), []
    for t in range(len(xs)):
        terms = [kernel[K - 1 - k] * xs[t - k] for k in range(min(K, t + 1))]
        ys.append(bias + sum(terms))
    return np.array(ys)


def selective(us, dts, A, Bs, Cs, D):
    """Gu and Dao 2023, equations 2 and 4 and algorithm 2: `us`, `dts` `[T, E]`, `A` `[E, N]`,
    `Bs`, `Cs` `[T, N]`."""
    T, E = us.shape
    h, ys = np.zeros_like(A), np.zeros((T, E))
    for t in range(T):
        for e in range(E):
            h[e] = np.exp(dts[t, e] * A[e]) * h[e] + dts[t, e] * Bs[t] * us[t, e]
            ys[t, e] = Cs[t] @ h[e] + D[e] * us[t, e]
    return ys


def lmu(xs, e_x, e_h, e_m, W_x, W_h, W_m, A, B):
    """Voelker et al. 2019, equations 5 to 7: `xs` `[T, D]` to `[T, H]`."""
    h, m, hs = np.zeros(W_h.shape[1]), np.zeros(len(e_m)), []
    for x in xs:
        u = e_x @ x + e_h @ h + e_m @ m
        m = A @ m + B * u
        h = np.tanh(x @ W_x + h @ W_h + m @ W_m)
        hs.append(h)
    return np.array(hs)
